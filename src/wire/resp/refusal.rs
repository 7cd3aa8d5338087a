//! Why requests are refused, as Redis words it.

use std::borrow::Cow;
use std::fmt;

use crate::command::{Error, ErrorCode};

use super::request::Arguments;

/// The most that an error quotes: of a name, and of all arguments together.
const MAX_QUOTED_BYTES: usize = 128;

/// The text of an error reply: a kind in upper case, a space, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal(Cow<'static, str>);

impl Refusal {
    pub(super) const NOT_AN_INTEGER: Refusal =
        Refusal::new("ERR value is not an integer or out of range");
    pub(super) const NOT_POSITIVE: Refusal =
        Refusal::new("ERR value is out of range, must be positive");
    pub(super) const SYNTAX: Refusal = Refusal::new("ERR syntax error");

    pub(super) const fn new(text: &'static str) -> Refusal {
        Refusal(Cow::Borrowed(text))
    }

    pub(super) fn from_text(text: String) -> Refusal {
        Refusal(Cow::Owned(text))
    }

    /// There is no command of this name.
    pub(super) fn unknown_command(name: &[u8], arguments: Arguments<'_>) -> Refusal {
        let mut text =
            format!("ERR unknown command '{}', with args beginning with: ", quoted(name));
        let start = text.len();
        for argument in arguments {
            let room = MAX_QUOTED_BYTES.saturating_sub(text.len() - start);
            if room == 0 {
                break;
            }
            let argument = &argument[..argument.len().min(room)];
            text.push_str(&format!("'{}' ", String::from_utf8_lossy(argument)));
        }
        Refusal::from_text(text)
    }

    /// The command `container` has none of this name.
    pub(super) fn unknown_subcommand(container: &str, name: &[u8]) -> Refusal {
        let (name, container) = (quoted(name), container.to_uppercase());
        Refusal::from_text(format!("ERR unknown subcommand '{name}'. Try {container} HELP."))
    }

    /// The command of this name takes more arguments, or less.
    pub(super) fn wrong_arity(name: &str) -> Refusal {
        Refusal::from_text(format!("ERR wrong number of arguments for '{name}' command"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Error> for Refusal {
    fn from(Error { code, message }: Error) -> Refusal {
        Refusal::from_text(match code {
            ErrorCode::Full => format!("OOM command not allowed: {message}"),
            ErrorCode::Busy => format!("BUSY {message}"),
            _ => format!("ERR {message}"),
        })
    }
}

/// Which refusal this reply is, as other faces call it; none if it is no error. O(1).
pub fn refusal_in(reply: &[u8]) -> Option<ErrorCode> {
    let text = reply.strip_prefix(b"-")?;
    Some(if text.starts_with(b"ERR unknown ") {
        ErrorCode::UnknownOp
    } else if text.starts_with(b"ERR Protocol error: too big request") {
        ErrorCode::TooLarge
    } else {
        ErrorCode::BadRequest
    })
}

fn quoted(name: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(&name[..name.len().min(MAX_QUOTED_BYTES)])
}
