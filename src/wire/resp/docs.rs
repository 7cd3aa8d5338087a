//! The table of commands as clients ask for it: COMMAND and its subcommands, and HELP.

use bytes::BytesMut;

use crate::session::Session;

use super::encode::Encoder;
use super::refusal::Refusal;
use super::request::Arguments;
use super::table::{self, Argument, COMMANDS, Entry};

/// The first version of this program that has the commands.
const SINCE: &str = "0.1.0";

type Done = Result<(), Refusal>;

pub(super) fn count(session: &mut Session, _: Arguments<'_>, out: &mut BytesMut) -> Done {
    Encoder { version: session.version, out }.integer(COMMANDS.len());
    Ok(())
}

pub(super) fn list(session: &mut Session, _: Arguments<'_>, out: &mut BytesMut) -> Done {
    let mut encoder = Encoder { version: session.version, out };
    encoder.array(COMMANDS.len());
    COMMANDS.iter().for_each(|entry| encoder.bulk_string(entry.name.as_bytes()));
    Ok(())
}

/// What there is to know about these commands, or about all: null for one that there is not.
pub(super) fn info(session: &mut Session, arguments: Arguments<'_>, out: &mut BytesMut) -> Done {
    let mut encoder = Encoder { version: session.version, out };
    if arguments.len() == 0 {
        return describe_all(&mut encoder, COMMANDS);
    }
    encoder.array(arguments.len());
    for name in arguments {
        match find(name) {
            Some(entry) => describe(&mut encoder, entry),
            None => encoder.null(),
        }
    }
    Ok(())
}

/// The documentation of these commands, or of all. Those that there are not are passed over.
pub(super) fn docs(session: &mut Session, arguments: Arguments<'_>, out: &mut BytesMut) -> Done {
    let mut encoder = Encoder { version: session.version, out };
    let entries: Vec<&Entry> = match arguments.len() {
        0 => COMMANDS.iter().collect(),
        _ => arguments.filter_map(find).collect(),
    };
    document_all(&mut encoder, &entries);
    Ok(())
}

/// The subcommands of a container, for people.
pub(super) fn help(session: &Session, container: &Entry, out: &mut BytesMut) {
    let mut encoder = Encoder { version: session.version, out };
    encoder.array(1 + 2 * container.subcommands.len());
    let name = container.name.to_uppercase();
    let title = "<subcommand> [<arg> [value] [opt] ...]. Subcommands are:";
    encoder.simple_string(format_args!("{name} {title}"));
    for Entry { name, summary, .. } in container.subcommands {
        let own = name.rsplit('|').next().unwrap_or_default();
        encoder.simple_string(own.to_uppercase());
        encoder.simple_string(format_args!("    {summary}"));
    }
}

/// The command of this name, or the subcommand of a name like `container|name`.
fn find(name: &[u8]) -> Option<&'static Entry> {
    let mut parts = name.splitn(2, |&byte| byte == b'|');
    let entry = table::find(parts.next().unwrap_or_default())?;
    match parts.next() {
        Some(name) => entry.find_subcommand(name),
        None => Some(entry),
    }
}

fn describe_all(encoder: &mut Encoder<'_>, entries: &[Entry]) -> Done {
    encoder.array(entries.len());
    entries.iter().for_each(|entry| describe(encoder, entry));
    Ok(())
}

/// Name, arity, flags; no keys, categories, tips; subcommands.
fn describe(encoder: &mut Encoder<'_>, entry: &Entry) {
    encoder.array(10);
    encoder.bulk_string(entry.name.as_bytes());
    encoder.integer(entry.arity.code());
    encoder.set(entry.flags.len());
    entry.flags.iter().for_each(|flag| encoder.simple_string(flag));
    for _first_last_step in 0..3 {
        encoder.integer(0);
    }
    for _categories_tips_keys in 0..3 {
        encoder.set(0);
    }
    encoder.array(entry.subcommands.len());
    entry.subcommands.iter().for_each(|entry| describe(encoder, entry));
}

fn document_all(encoder: &mut Encoder<'_>, entries: &[&Entry]) {
    encoder.map(entries.len());
    for entry in entries {
        encoder.bulk_string(entry.name.as_bytes());
        document(encoder, entry);
    }
}

fn document(encoder: &mut Encoder<'_>, entry: &Entry) {
    let fields = [
        ("summary", entry.summary),
        ("since", SINCE),
        ("group", entry.group),
        ("complexity", entry.complexity),
    ];
    let has_arguments = !entry.arguments.is_empty();
    let has_subcommands = !entry.subcommands.is_empty();
    encoder.map(fields.len() + usize::from(has_arguments) + usize::from(has_subcommands));
    for (name, value) in fields {
        text_field(encoder, name, value);
    }
    if has_arguments {
        encoder.bulk_string(b"arguments");
        document_arguments(encoder, entry.arguments);
    }
    if has_subcommands {
        encoder.bulk_string(b"subcommands");
        document_all(encoder, &entry.subcommands.iter().collect::<Vec<_>>());
    }
}

fn document_arguments(encoder: &mut Encoder<'_>, arguments: &[Argument]) {
    encoder.array(arguments.len());
    for argument in arguments {
        let flags = [("optional", argument.is_optional), ("multiple", argument.is_multiple)];
        let flags = || flags.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name);
        let flag_count = flags().count();
        let is_block = !argument.parts.is_empty();
        let optional_fields = [argument.token.is_some(), flag_count > 0].into_iter();
        encoder.map(3 + optional_fields.filter(|is_there| *is_there).count());
        text_field(encoder, "name", argument.name);
        text_field(encoder, "type", argument.kind);
        if is_block {
            encoder.bulk_string(b"arguments");
            document_arguments(encoder, argument.parts);
        } else {
            text_field(encoder, "display_text", argument.name);
        }
        if let Some(token) = argument.token {
            text_field(encoder, "token", token);
        }
        if flag_count > 0 {
            encoder.bulk_string(b"flags");
            encoder.set(flag_count);
            flags().for_each(|flag| encoder.simple_string(flag));
        }
    }
}

fn text_field(encoder: &mut Encoder<'_>, name: &str, value: &str) {
    encoder.bulk_string(name.as_bytes());
    encoder.bulk_string(value.as_bytes());
}
