//! What INFO tells: fields that clients of Redis look for, and our own.

use std::env::consts;
use std::fmt::Write as _;
use std::process;

use crate::command::{Command, Stats, Tier};

use super::array::Parsed;
use super::reply::Shape;
use super::request::Arguments;

/// The version of Redis whose protocol this is; clients choose by it what they ask for.
const REDIS_VERSION: &str = "7.2.0";

/// A section's name, and what writes its fields.
type Section = (&'static str, fn(&Stats, &mut String));

const SECTIONS: [Section; 9] = [
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("Cluster", cluster),
    ("Array", array),
    ("Keyspace", keyspace),
];

/// A set of sections: one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sections(u16);

impl Sections {
    pub(super) const ALL: Sections = Sections(u16::MAX);

    /// The sections with these names; all where there is none. Unknown names are passed over.
    pub(super) fn parse(arguments: Arguments<'_>) -> Sections {
        if arguments.len() == 0 {
            return Sections::ALL;
        }
        let mut sections = Sections(0);
        for argument in arguments {
            let is = |name: &str| argument.eq_ignore_ascii_case(name.as_bytes());
            if ["default", "all", "everything"].into_iter().any(is) {
                return Sections::ALL;
            }
            let named = SECTIONS.iter().position(|(name, _)| is(name));
            sections.0 |= named.map_or(0, |index| 1 << index);
        }
        sections
    }
}

/// INFO as a command.
pub(super) fn parse(arguments: Arguments<'_>) -> Parsed {
    Ok((Shape::Info(Sections::parse(arguments)), Command::Stats))
}

/// The fields of these sections, one a line.
pub(super) fn text(stats: &Stats, Sections(bits): Sections) -> String {
    let mut text = String::new();
    for (index, (name, write)) in SECTIONS.iter().enumerate() {
        if bits & 1 << index != 0 {
            text.push_str(if text.is_empty() { "# " } else { "\r\n# " });
            text.push_str(name);
            text.push_str("\r\n");
            write(stats, &mut text);
        }
    }
    text
}

fn field(text: &mut String, name: &str, value: impl std::fmt::Display) {
    write!(text, "{name}:{value}\r\n").expect("memory takes what is written to it");
}

fn server(stats: &Stats, text: &mut String) {
    field(text, "redis_version", REDIS_VERSION);
    field(text, "sortd_version", stats.version);
    field(text, "redis_mode", "standalone");
    field(text, "os", format_args!("{} {}", consts::OS, consts::ARCH));
    field(text, "arch_bits", usize::BITS);
    field(text, "process_id", process::id());
    field(text, "uptime_in_seconds", stats.uptime_seconds);
    field(text, "uptime_in_days", stats.uptime_seconds / (24 * 60 * 60));
}

fn clients(stats: &Stats, text: &mut String) {
    field(text, "connected_clients", stats.connections);
    field(text, "blocked_clients", 0);
}

fn memory(stats: &Stats, text: &mut String) {
    if let Some(bytes) = stats.memory_bytes {
        field(text, "used_memory", bytes);
        field(text, "used_memory_rss", bytes);
    }
}

/// Nothing is kept on disk, so nothing is ever loaded.
fn persistence(_: &Stats, text: &mut String) {
    field(text, "loading", 0);
    field(text, "aof_enabled", 0);
}

fn stats(stats: &Stats, text: &mut String) {
    field(text, "total_commands_processed", stats.requests);
}

fn replication(_: &Stats, text: &mut String) {
    field(text, "role", "master");
    field(text, "connected_slaves", 0);
}

fn cluster(_: &Stats, text: &mut String) {
    field(text, "cluster_enabled", 0);
}

fn array(stats: &Stats, text: &mut String) {
    field(text, "count", stats.count);
    field(text, "epoch", stats.epoch);
    field(text, "values_added", stats.values_added);
    field(text, "values_removed", stats.values_removed);
    for (index, Tier { kind, entries }) in stats.tiers.iter().enumerate() {
        field(text, &format!("tier{index}"), format_args!("kind={kind},entries={entries}"));
    }
}

/// An empty database has no line.
fn keyspace(stats: &Stats, text: &mut String) {
    if stats.count > 0 {
        field(text, "db0", format_args!("keys={},expires=0,avg_ttl=0", stats.count));
    }
}
