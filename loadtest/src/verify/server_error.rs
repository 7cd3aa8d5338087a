//! The line with which a server refuses a request: `{"error":{"code":"...","message":"..."}}`.

use serde::Deserialize;
use std::fmt;

/// Longest code kept; longer ones are cut. The server's own have fewer than 20 characters.
const MAX_CODE_CHARS: usize = 40;
/// Longest message kept; longer ones are cut, so that a report stays readable.
const MAX_MESSAGE_CHARS: usize = 200;

/// A refusal in the server's words, made safe to print: cut to length, control characters escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerError {
    /// The machine-readable code, as `full` or `bad_request`.
    pub(crate) code: String,
    /// The explanation for people.
    pub(crate) message: String,
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
        Some(Self {
            code: printable(&error.code, MAX_CODE_CHARS),
            message: printable(&error.message, MAX_MESSAGE_CHARS),
        })
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
