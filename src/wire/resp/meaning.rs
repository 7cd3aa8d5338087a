//! What a request means.

use bytes::{Bytes, BytesMut};

use crate::command::Command;
use crate::session::{RespVersion, Session};

use super::array::Parsed;
use super::docs;
use super::encode::Encoder;
use super::refusal::Refusal;
use super::reply::Form;
use super::request::{Arguments, Request};
use super::table::{self, Run};

/// A longer request is left to the caller to parse: this much takes some tens of microseconds.
pub const MAX_PARSED_BYTES: usize = 16 * 1024;

/// What has to be done about a request.
#[derive(Debug)]
pub enum Meaning {
    /// A command to be carried out, and the form that its reply takes.
    Command(Form, Command),
    /// A request that takes long to [`parse`](Unparsed::parse).
    Unparsed(Unparsed),
    /// Nothing more: this is the reply.
    Reply(Bytes),
    /// The same, and the connection ends after it.
    LastReply(Bytes),
    /// It is a line of HTTP. Perhaps a browser has been made to send it, and what follows might be meant
    /// to look like a request: the connection ends without a word.
    Http,
}

/// A request that has not been parsed: a large one.
#[derive(Debug)]
pub struct Unparsed {
    request: Request,
    version: RespVersion,
    parse: fn(Arguments<'_>) -> Parsed,
}

impl Unparsed {
    /// The form that the reply takes in any case.
    pub fn form(&self) -> Form {
        Form::plain(self.version)
    }

    /// The command, and the form that its reply takes; or the reply, where there is no command. O(its
    /// bytes).
    pub fn parse(&self) -> Result<(Form, Command), Bytes> {
        let mut arguments = self.request.arguments();
        arguments.next();
        parsed(self.version, (self.parse)(arguments))
            .map_err(|refusal| error(self.version, &refusal))
    }
}

/// What a request means to this session, which it may change.
///
/// O(its bytes), but for those that are left to be parsed elsewhere.
pub fn interpret(request: Request, session: &mut Session) -> Meaning {
    match try_interpret(request, session) {
        Ok(meaning) => meaning,
        Err(refusal) => Meaning::Reply(error(session.version, &refusal)),
    }
}

fn try_interpret(request: Request, session: &mut Session) -> Result<Meaning, Refusal> {
    let mut arguments = request.arguments();
    let count = arguments.len();
    let name = arguments.next().unwrap_or_default();
    let Some(command) = table::find(name) else {
        return match is_http(name, arguments.clone()) {
            true => Ok(Meaning::Http),
            false => Err(Refusal::unknown_command(name, arguments)),
        };
    };
    if !command.arity.allows(count) {
        return Err(Refusal::wrong_arity(command.name));
    }
    let entry = match arguments.clone().next() {
        Some(name) if !command.subcommands.is_empty() => {
            arguments.next();
            let subcommand = command.find_subcommand(name);
            subcommand.ok_or_else(|| Refusal::unknown_subcommand(command.name, name))?
        }
        _ => command,
    };
    if !entry.arity.allows(count) {
        return Err(Refusal::wrong_arity(entry.name));
    }
    let mut reply = BytesMut::new();
    match entry.run {
        Run::Array(parse) if request.byte_length() > MAX_PARSED_BYTES => {
            return Ok(Meaning::Unparsed(Unparsed { version: session.version, parse, request }));
        }
        Run::Array(parse) => {
            let (form, command) = parsed(session.version, parse(arguments))?;
            return Ok(Meaning::Command(form, command));
        }
        Run::Echo if count == 1 => {
            return Ok(Meaning::Command(Form::plain(session.version), Command::Ping));
        }
        Run::Echo => return Ok(Meaning::Reply(request.into_last_string())),
        Run::Quit => {
            Encoder { version: session.version, out: &mut reply }.simple_string("OK");
            return Ok(Meaning::LastReply(reply.freeze()));
        }
        Run::Connection(run) => run(session, arguments, &mut reply)?,
        Run::Help => docs::help(session, command, &mut reply),
    }
    Ok(Meaning::Reply(reply.freeze()))
}

fn parsed(version: RespVersion, parsed: Parsed) -> Result<(Form, Command), Refusal> {
    let (shape, command) = parsed?;
    Ok((Form { version, shape }, command))
}

fn error(version: RespVersion, refusal: &Refusal) -> Bytes {
    let mut reply = BytesMut::new();
    Encoder { version, out: &mut reply }.error(refusal);
    reply.freeze()
}

/// Whether this looks like a line of an HTTP request: `GET / HTTP/1.1`, any `POST`, or `Host: ...`.
fn is_http(name: &[u8], mut arguments: Arguments<'_>) -> bool {
    let is_version = |argument: &[u8]| argument.starts_with(b"HTTP/");
    name.eq_ignore_ascii_case(b"POST")
        || name.eq_ignore_ascii_case(b"Host:")
        || (arguments.len() == 2 && arguments.nth(1).is_some_and(is_version))
}
