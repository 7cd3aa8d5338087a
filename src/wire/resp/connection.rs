//! Commands that concern the connection alone, answered from what it has agreed on.

use std::fmt::Write as _;

use bytes::BytesMut;

use crate::session::{Name, NameError, RespVersion, Session};

use super::array::integer;
use super::encode::Encoder;
use super::refusal::Refusal;
use super::request::Arguments;

/// What a command has to say for itself, where it does not write its reply.
type Done = Result<(), Refusal>;

/// The one user that there is.
const USER: &[u8] = b"default";

/// What clients of Redis ask for before they trust a server with anything, by its name there.
const CONFIGURATION: [(&str, &str); 2] = [("save", ""), ("appendonly", "no")];

pub(super) fn hello(
    session: &mut Session,
    mut arguments: Arguments<'_>,
    out: &mut BytesMut,
) -> Done {
    let mut version = session.version;
    if let Some(number) = arguments.next() {
        let refusal = Refusal::new("ERR Protocol version is not an integer or out of range");
        let number = integer(number).map_err(|_| refusal)?;
        version = RespVersion::from_number(number)
            .ok_or(Refusal::new("NOPROTO unsupported protocol version"))?;
    }
    let mut name = None;
    while let Some(option) = arguments.next() {
        if option.eq_ignore_ascii_case(b"AUTH") && arguments.len() >= 2 {
            authenticate(arguments.next().unwrap_or_default())?;
            arguments.next();
        } else if option.eq_ignore_ascii_case(b"SETNAME") && arguments.len() >= 1 {
            name = Some(parse_name("Client names", arguments.next().unwrap_or_default())?);
        } else {
            let option = String::from_utf8_lossy(&option[..option.len().min(128)]);
            let text = format!("ERR Syntax error in HELLO option '{option}'");
            return Err(Refusal::from_text(text));
        }
    }
    session.version = version;
    session.name = name.unwrap_or_else(|| session.name.clone());
    describe_server(session, out);
    Ok(())
}

fn describe_server(session: &Session, out: &mut BytesMut) {
    let mut encoder = Encoder { version: session.version, out };
    encoder.map(7);
    for (key, value) in [("server", "sortd"), ("version", env!("CARGO_PKG_VERSION"))] {
        encoder.bulk_string(key.as_bytes());
        encoder.bulk_string(value.as_bytes());
    }
    encoder.bulk_string(b"proto");
    encoder.integer(session.version.number());
    encoder.bulk_string(b"id");
    encoder.integer(session.id);
    for (key, value) in [("mode", "standalone"), ("role", "master")] {
        encoder.bulk_string(key.as_bytes());
        encoder.bulk_string(value.as_bytes());
    }
    encoder.bulk_string(b"modules");
    encoder.array(0);
}

pub(super) fn auth(
    session: &mut Session,
    mut arguments: Arguments<'_>,
    out: &mut BytesMut,
) -> Done {
    match arguments.len() {
        1 => Err(Refusal::new(
            "ERR AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?",
        )),
        2 => {
            authenticate(arguments.next().unwrap_or_default())?;
            ok(session, out)
        }
        _ => Err(Refusal::SYNTAX),
    }
}

/// As Redis does where its one user needs no password: any will do.
fn authenticate(user: &[u8]) -> Done {
    if user == USER {
        return Ok(());
    }
    Err(Refusal::new("WRONGPASS invalid username-password pair or user is disabled."))
}

pub(super) fn select(
    session: &mut Session,
    mut arguments: Arguments<'_>,
    out: &mut BytesMut,
) -> Done {
    match integer(arguments.next().unwrap_or_default())? {
        0 => ok(session, out),
        _ => Err(Refusal::new("ERR DB index is out of range")),
    }
}

pub(super) fn reset(session: &mut Session, _: Arguments<'_>, out: &mut BytesMut) -> Done {
    session.reset();
    Encoder { version: session.version, out }.simple_string("RESET");
    Ok(())
}

pub(super) fn transaction(_: &mut Session, _: Arguments<'_>, _: &mut BytesMut) -> Done {
    Err(Refusal::new(
        "ERR there are no transactions: each command is atomic by itself, and pipelining works \
         without MULTI and EXEC",
    ))
}

pub(super) fn client_id(session: &mut Session, _: Arguments<'_>, out: &mut BytesMut) -> Done {
    Encoder { version: session.version, out }.integer(session.id);
    Ok(())
}

pub(super) fn client_get_name(session: &mut Session, _: Arguments<'_>, out: &mut BytesMut) -> Done {
    let mut encoder = Encoder { version: session.version, out };
    match session.name.as_str() {
        "" => encoder.null(),
        name => encoder.bulk_string(name.as_bytes()),
    }
    Ok(())
}

pub(super) fn client_set_name(
    session: &mut Session,
    mut arguments: Arguments<'_>,
    out: &mut BytesMut,
) -> Done {
    session.name = parse_name("Client names", arguments.next().unwrap_or_default())?;
    ok(session, out)
}

pub(super) fn client_set_info(
    session: &mut Session,
    mut arguments: Arguments<'_>,
    out: &mut BytesMut,
) -> Done {
    let attribute = arguments.next().unwrap_or_default();
    let value = arguments.next().unwrap_or_default();
    if attribute.eq_ignore_ascii_case(b"lib-name") {
        session.library_name = parse_name("lib-name", value)?;
    } else if attribute.eq_ignore_ascii_case(b"lib-ver") {
        session.library_version = parse_name("lib-ver", value)?;
    } else {
        let attribute = String::from_utf8_lossy(&attribute[..attribute.len().min(128)]);
        return Err(Refusal::from_text(format!("ERR Unrecognized option '{attribute}'")));
    }
    ok(session, out)
}

pub(super) fn client_list(session: &mut Session, _: Arguments<'_>, out: &mut BytesMut) -> Done {
    let Session { id, peer, version, name, library_name, library_version } = &*session;
    let mut line = String::new();
    writeln!(
        line,
        "id={id} addr={peer} name={} flags=N db=0 sub=0 psub=0 multi=-1 cmd=client|list \
         user=default lib-name={} lib-ver={} resp={}",
        name.as_str(),
        library_name.as_str(),
        library_version.as_str(),
        version.number(),
    )
    .expect("memory takes what is written to it");
    Encoder { version: *version, out }.text(&line);
    Ok(())
}

pub(super) fn config_get(
    session: &mut Session,
    arguments: Arguments<'_>,
    out: &mut BytesMut,
) -> Done {
    let is_asked_for = |(name, _): &&(&str, &str)| {
        let is_it = |wanted: &[u8]| wanted == b"*" || wanted.eq_ignore_ascii_case(name.as_bytes());
        arguments.clone().any(is_it)
    };
    let rows: Vec<_> = CONFIGURATION.iter().filter(is_asked_for).collect();
    let mut encoder = Encoder { version: session.version, out };
    encoder.map(rows.len());
    for (name, value) in rows {
        encoder.bulk_string(name.as_bytes());
        encoder.bulk_string(value.as_bytes());
    }
    Ok(())
}

fn parse_name(what: &str, name: &[u8]) -> Result<Name, Refusal> {
    Name::parse(name).map_err(|error| {
        Refusal::from_text(match error {
            NameError::BadCharacter => {
                format!("ERR {what} cannot contain spaces, newlines or special characters.")
            }
            NameError::TooLong => format!("ERR {what} have at most {} bytes.", Name::MAX_BYTES),
        })
    })
}

fn ok(session: &Session, out: &mut BytesMut) -> Done {
    Encoder { version: session.version, out }.simple_string("OK");
    Ok(())
}
