//! The line with which a server refuses a request: `{"error":{"code":"...","message":"..."}}`.

use serde::Deserialize;
use std::fmt;

/// Longest code kept; longer ones are cut. The server's own have fewer than 20 characters.
const MAX_CODE_CHARS: usize = 40;
/// Longest message kept; longer ones are cut, so that a report stays readable.
const MAX_MESSAGE_CHARS: usize = 200;

/// Codes of refusals after which the server closes the connection.
const CLOSING_CODES: [&str; 4] = ["too_large", "timeout", "too_many_connections", "shutting_down"];

/// How the error begins after which Redis servers close a connection too many.
const TURNED_AWAY: &str = "max number of clients";

/// A refusal in the server's words, made safe to print: cut to length, control characters escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerError {
    /// The machine-readable code, as `full` or `bad_request`.
    pub(crate) code: String,
    /// The explanation for people.
    pub(crate) message: String,
    /// Whether the server closes the connection after it.
    pub(crate) closes: bool,
}

#[derive(Deserialize)]
struct Line {
    error: Body,
}

#[derive(Deserialize)]
struct Body {
    code: String,
    message: String,
}

impl ServerError {
    /// Reads a line without its newline; `None` if it is no refusal.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let Line { error } = serde_json::from_slice(line).ok()?;
        let closes = CLOSING_CODES.contains(&error.code.as_str());
        Some(Self::new(&error.code, &error.message, closes))
    }

    /// A refusal in these words.
    pub(crate) fn new(code: &str, message: &str, closes: bool) -> Self {
        Self {
            code: printable(code, MAX_CODE_CHARS),
            message: printable(message, MAX_MESSAGE_CHARS),
            closes,
        }
    }

    /// Reads the text of a Redis error, as `OOM no room`: its first word is the code.
    pub(crate) fn from_resp(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let (code, message) = text.split_once(' ').unwrap_or((&text, ""));
        Self::new(code, message, message.starts_with(TURNED_AWAY))
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server refused: {} ({})", self.message, self.code)
    }
}

/// `text` with control characters escaped, cut to about `limit` characters.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    let mut printable: String = text.chars().take(limit).flat_map(char::escape_debug).collect();
    if text.chars().nth(limit).is_some() {
        printable.push_str("...");
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_is_read() {
        let error = ServerError::parse(br#"{"error":{"code":"full","message":"no room"}}"#)
            .expect("a refusal");
        assert_eq!((error.code.as_str(), error.message.as_str()), ("full", "no room"));
        assert_eq!(error.to_string(), "the server refused: no room (full)");
    }

    #[test]
    fn first_word_of_a_redis_error_is_its_code() {
        let error = ServerError::from_resp(b"OOM no room");
        assert_eq!((error.code.as_str(), error.message.as_str()), ("OOM", "no room"));
        assert!(!error.closes && ServerError::from_resp(b"ERR max number of clients").closes);
    }

    #[test]
    fn other_lines_are_none() {
        for line in [
            "",
            "{}",
            "[1]",
            r#"{"error":"full"}"#,
            r#"{"error":{"code":1,"message":"x"}}"#,
            "{\"error\"",
        ] {
            assert_eq!(ServerError::parse(line.as_bytes()), None, "{line:?}");
        }
    }

    #[test]
    fn hostile_text_is_cut_and_escaped() {
        let line =
            format!(r#"{{"error":{{"code":"a\u001b[31m","message":"{}"}}}}"#, "x".repeat(1000));
        let error = ServerError::parse(line.as_bytes()).expect("a refusal");
        assert_eq!(error.code, "a\\u{1b}[31m");
        assert_eq!(error.message.len(), MAX_MESSAGE_CHARS + "...".len());
    }
}
