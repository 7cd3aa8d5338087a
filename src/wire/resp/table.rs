//! The commands that clients know: one table for what they take, how they are carried out, and what
//! they are said to do.

use bytes::BytesMut;

use crate::session::Session;

use super::array::{self, Parsed};
use super::connection;
use super::docs;
use super::info;
use super::refusal::Refusal;
use super::request::Arguments;

/// The most names or options of a command that is answered from what the connection has agreed on, and
/// so a bound on its reply.
const MAX_OPTIONS: usize = 64;

/// A command, or a subcommand.
pub(super) struct Entry {
    /// In lower case; that of a subcommand as `container|name`.
    pub(super) name: &'static str,
    pub(super) arity: Arity,
    /// By the names that Redis has for them.
    pub(super) flags: &'static [&'static str],
    pub(super) group: &'static str,
    pub(super) summary: &'static str,
    pub(super) complexity: &'static str,
    pub(super) arguments: &'static [Argument],
    pub(super) subcommands: &'static [Entry],
    pub(super) run: Run,
}

/// How many arguments a command takes, its name and that of its container included.
#[derive(Clone, Copy)]
pub(super) struct Arity {
    least: usize,
    most: usize,
}

impl Arity {
    pub(super) fn allows(self, arguments: usize) -> bool {
        (self.least..=self.most).contains(&arguments)
    }

    /// The number that stands for it: negative for a least one.
    pub(super) fn code(self) -> i64 {
        let least = i64::try_from(self.least).expect("it is small");
        if self.least == self.most { least } else { -least }
    }
}

/// How a command is carried out. Functions are given the arguments behind the name, as many as the
/// arity allows.
pub(super) enum Run {
    /// As a command on the array.
    Array(fn(Arguments<'_>) -> Parsed),
    /// At once, by the connection. What is written is the reply.
    Connection(fn(&mut Session, Arguments<'_>, &mut BytesMut) -> Result<(), Refusal>),
    /// By showing its argument; without one, as [`Command::Ping`](crate::command::Command::Ping).
    Echo,
    /// By listing the subcommands of the container.
    Help,
    /// By ending the connection.
    Quit,
}

/// What an argument is, for people.
#[derive(Clone, Copy)]
pub(super) struct Argument {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    /// The word that comes before it; for a pure token, instead of it.
    pub(super) token: Option<&'static str>,
    pub(super) is_optional: bool,
    pub(super) is_multiple: bool,
    /// What a block consists of.
    pub(super) parts: &'static [Argument],
}

impl Argument {
    const fn new(name: &'static str, kind: &'static str) -> Argument {
        Argument { name, kind, token: None, is_optional: false, is_multiple: false, parts: &[] }
    }

    const fn token(token: &'static str, name: &'static str) -> Argument {
        Argument { token: Some(token), ..Argument::new(name, "pure-token") }
    }

    const fn block(name: &'static str, parts: &'static [Argument]) -> Argument {
        Argument { parts, ..Argument::new(name, "block") }
    }

    const fn behind(self, token: &'static str) -> Argument {
        Argument { token: Some(token), ..self }
    }

    const fn optional(self) -> Argument {
        Argument { is_optional: true, ..self }
    }

    const fn multiple(self) -> Argument {
        Argument { is_multiple: true, ..self }
    }
}

/// The command with this name, in any case.
pub(super) fn find(name: &[u8]) -> Option<&'static Entry> {
    COMMANDS.iter().find(|entry| name.eq_ignore_ascii_case(entry.name.as_bytes()))
}

impl Entry {
    /// The subcommand with this name, in any case.
    pub(super) fn find_subcommand(&self, name: &[u8]) -> Option<&'static Entry> {
        let is_named = |entry: &&Entry| {
            let own = entry.name.rsplit('|').next().unwrap_or_default();
            name.eq_ignore_ascii_case(own.as_bytes())
        };
        self.subcommands.iter().find(is_named)
    }
}

const fn exactly(n: usize) -> Arity {
    Arity { least: n, most: n }
}

const fn at_least(n: usize) -> Arity {
    Arity { least: n, most: usize::MAX }
}

const fn from_to(least: usize, most: usize) -> Arity {
    Arity { least, most }
}

const WRITE: &[&str] = &["write", "fast"];
const ADD: &[&str] = &["write", "denyoom", "fast"];
const READ: &[&str] = &["readonly", "fast"];
const ANYTIME: &[&str] = &["noscript", "loading", "stale", "fast"];
const UNAUTHENTICATED: &[&str] = &["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"];

const VALUE: Argument = Argument::new("value", "integer");
const MIN: Argument = Argument::new("min", "string");
const MAX: Argument = Argument::new("max", "string");
const COUNT: Argument = Argument::new("count", "integer");
const REVERSED: Argument = Argument::token("REV", "rev").optional();
const OFFSET_AND_COUNT: &[Argument] = &[Argument::new("offset", "integer"), COUNT];
const MIN_AND_MAX: &[Argument] = &[MIN, MAX];
const USER_AND_TOKEN: &[Argument] =
    &[Argument::new("username", "string"), Argument::new("token", "string")];
const HELLO_OPTIONS: &[Argument] = &[
    Argument::new("protover", "integer"),
    Argument::block("auth", USER_AND_TOKEN).behind("AUTH").optional(),
    Argument::new("clientname", "string").behind("SETNAME").optional(),
];
const COMMAND_NAMES: &[Argument] = &[Argument::new("command-name", "string").optional().multiple()];

const ON_THE_ARRAY: Entry = Entry {
    name: "",
    arity: exactly(1),
    flags: READ,
    group: "array",
    summary: "",
    complexity: "O(log(N))",
    arguments: &[],
    subcommands: &[],
    run: Run::Help,
};

const ON_THE_CONNECTION: Entry =
    Entry { flags: ANYTIME, group: "connection", complexity: "O(1)", ..ON_THE_ARRAY };

const ON_THE_SERVER: Entry = Entry { group: "server", ..ON_THE_CONNECTION };

/// All commands.
pub(super) static COMMANDS: &[Entry] = &[
    Entry {
        name: "add",
        arity: at_least(2),
        flags: ADD,
        summary: "Adds integers at one instant. Returns how many there are then.",
        complexity: "O(M*log(N)) for M integers",
        arguments: &[VALUE.multiple()],
        run: Run::Array(array::add),
        ..ON_THE_ARRAY
    },
    Entry {
        name: "range",
        arity: at_least(3),
        summary: "Returns the integers from one index to another, both included.",
        complexity: "O(log(N)+M) for M integers returned",
        arguments: &[Argument::new("start", "integer"), Argument::new("stop", "integer"), REVERSED],
        run: Run::Array(array::range),
        ..ON_THE_ARRAY
    },
    Entry {
        name: "between",
        arity: at_least(3),
        summary: "Returns the integers from min to max, both included.",
        complexity: "O(log(N)+M) for M integers returned",
        arguments: &[
            MIN,
            MAX,
            REVERSED,
            Argument::block("limit", OFFSET_AND_COUNT).behind("LIMIT").optional(),
        ],
        run: Run::Array(array::between),
        ..ON_THE_ARRAY
    },
    Entry {
        name: "count",
        arity: from_to(1, 3),
        summary: "Returns how many integers there are, or are from min to max.",
        arguments: &[Argument::block("bounds", MIN_AND_MAX).optional()],
        run: Run::Array(array::count),
        ..ON_THE_ARRAY
    },
    Entry {
        name: "rank",
        arity: exactly(2),
        summary: "Returns how many integers are less than a value.",
        arguments: &[VALUE],
        run: Run::Array(array::rank),
        ..ON_THE_ARRAY
    },
    Entry {
        name: "at",
        arity: exactly(2),
        summary: "Returns the integer at an index, or null.",
        arguments: &[Argument::new("index", "integer")],
        run: Run::Array(array::at),
        ..ON_THE_ARRAY
    },
    Entry {
        name: "quantile",
        arity: at_least(2),
        summary: "Returns quantiles by the nearest rank, from 0 to 1.",
        complexity: "O(M*log(N)) for M quantiles",
        arguments: &[Argument::new("q", "double").multiple()],
        run: Run::Array(array::quantile),
        ..ON_THE_ARRAY
    },
    Entry {
        name: "min",
        summary: "Returns the smallest integer, or null.",
        run: Run::Array(array::min),
        ..ON_THE_ARRAY
    },
    Entry {
        name: "max",
        summary: "Returns the largest integer, or null.",
        run: Run::Array(array::max),
        ..ON_THE_ARRAY
    },
    Entry {
        name: "remove",
        arity: at_least(2),
        flags: WRITE,
        summary: "Removes one instance of each integer at one instant. Returns how many it removed.",
        complexity: "O(M*log(N)) for M integers",
        arguments: &[VALUE.multiple()],
        run: Run::Array(array::remove),
        ..ON_THE_ARRAY
    },
    Entry {
        name: "removeall",
        arity: at_least(2),
        flags: WRITE,
        summary: "Removes every instance of each integer at one instant. Returns how many it removed.",
        complexity: "O(M*log(N)) for M integers",
        arguments: &[VALUE.multiple()],
        run: Run::Array(array::remove_all),
        ..ON_THE_ARRAY
    },
    Entry {
        name: "removerange",
        arity: exactly(3),
        flags: WRITE,
        summary: "Removes the integers from min to max at one instant. Returns how many it removed.",
        arguments: MIN_AND_MAX,
        run: Run::Array(array::remove_range),
        ..ON_THE_ARRAY
    },
    Entry {
        name: "popmin",
        arity: from_to(1, 2),
        flags: WRITE,
        summary: "Removes and returns the smallest integer, or null; with a count, as many of the smallest.",
        complexity: "O(log(N)+M) for M integers returned",
        arguments: &[COUNT.optional()],
        run: Run::Array(array::pop_min),
        ..ON_THE_ARRAY
    },
    Entry {
        name: "popmax",
        arity: from_to(1, 2),
        flags: WRITE,
        summary: "Removes and returns the largest integer, or null; with a count, as many of the largest.",
        complexity: "O(log(N)+M) for M integers returned",
        arguments: &[COUNT.optional()],
        run: Run::Array(array::pop_max),
        ..ON_THE_ARRAY
    },
    Entry {
        name: "clear",
        flags: WRITE,
        summary: "Removes all integers at one instant. Returns how many it removed.",
        complexity: "O(1)",
        run: Run::Array(array::clear),
        ..ON_THE_ARRAY
    },
    Entry {
        name: "ping",
        arity: from_to(1, 2),
        summary: "Returns PONG, or the message.",
        arguments: &[Argument::new("message", "string").optional()],
        run: Run::Echo,
        ..ON_THE_CONNECTION
    },
    Entry {
        name: "echo",
        arity: exactly(2),
        summary: "Returns the message.",
        arguments: &[Argument::new("message", "string")],
        run: Run::Echo,
        ..ON_THE_CONNECTION
    },
    Entry {
        name: "hello",
        arity: from_to(1, 1 + MAX_OPTIONS),
        flags: UNAUTHENTICATED,
        summary: "Agrees on a version of the protocol, 2 or 3, and tells who is there.",
        arguments: &[Argument::block("arguments", HELLO_OPTIONS).optional()],
        run: Run::Connection(connection::hello),
        ..ON_THE_CONNECTION
    },
    Entry {
        name: "auth",
        arity: from_to(2, 1 + MAX_OPTIONS),
        flags: UNAUTHENTICATED,
        summary: "Authenticates the connection.",
        arguments: &[
            Argument::new("username", "string").optional(),
            Argument::new("token", "string"),
        ],
        run: Run::Connection(connection::auth),
        ..ON_THE_CONNECTION
    },
    Entry {
        name: "select",
        arity: exactly(2),
        summary: "Selects the one database that there is, 0.",
        arguments: &[Argument::new("index", "integer")],
        run: Run::Connection(connection::select),
        ..ON_THE_CONNECTION
    },
    Entry {
        name: "client",
        arity: at_least(2),
        summary: "A container for commands about the connection.",
        subcommands: CLIENT,
        ..ON_THE_CONNECTION
    },
    Entry {
        name: "reset",
        flags: UNAUTHENTICATED,
        summary: "Forgets all that the connection has agreed on.",
        run: Run::Connection(connection::reset),
        ..ON_THE_CONNECTION
    },
    Entry {
        name: "quit",
        arity: at_least(1),
        flags: UNAUTHENTICATED,
        summary: "Closes the connection.",
        run: Run::Quit,
        ..ON_THE_CONNECTION
    },
    Entry {
        name: "info",
        arity: from_to(1, 1 + MAX_OPTIONS),
        summary: "Returns how the server is doing.",
        arguments: &[Argument::new("section", "string").optional().multiple()],
        run: Run::Array(info::parse),
        ..ON_THE_SERVER
    },
    Entry {
        name: "command",
        arity: at_least(1),
        summary: "Returns what there is to know about all commands.",
        subcommands: COMMAND,
        run: Run::Connection(docs::info),
        ..ON_THE_SERVER
    },
    Entry {
        name: "config",
        arity: at_least(2),
        flags: &["admin", "noscript", "loading", "stale"],
        summary: "A container for commands about the configuration.",
        subcommands: CONFIG,
        ..ON_THE_SERVER
    },
    Entry {
        name: "multi",
        group: "transactions",
        summary: "Is refused: pipelines work without it.",
        run: Run::Connection(connection::transaction),
        ..ON_THE_CONNECTION
    },
    Entry {
        name: "exec",
        group: "transactions",
        summary: "Is refused: pipelines work without it.",
        run: Run::Connection(connection::transaction),
        ..ON_THE_CONNECTION
    },
];

static CLIENT: &[Entry] = &[
    Entry {
        name: "client|id",
        arity: exactly(2),
        summary: "Returns the number of the connection.",
        run: Run::Connection(connection::client_id),
        ..ON_THE_CONNECTION
    },
    Entry {
        name: "client|setname",
        arity: exactly(3),
        summary: "Names the connection.",
        arguments: &[Argument::new("connection-name", "string")],
        run: Run::Connection(connection::client_set_name),
        ..ON_THE_CONNECTION
    },
    Entry {
        name: "client|getname",
        arity: exactly(2),
        summary: "Returns the name of the connection.",
        run: Run::Connection(connection::client_get_name),
        ..ON_THE_CONNECTION
    },
    Entry {
        name: "client|setinfo",
        arity: exactly(4),
        summary: "Tells the client library, by its LIB-NAME or its LIB-VER.",
        arguments: &[Argument::new("attribute", "string"), Argument::new("text", "string")],
        run: Run::Connection(connection::client_set_info),
        ..ON_THE_CONNECTION
    },
    Entry {
        name: "client|list",
        arity: exactly(2),
        summary: "Describes the connection that asks; no other one.",
        run: Run::Connection(connection::client_list),
        ..ON_THE_CONNECTION
    },
    Entry { name: "client|help", ..HELP },
];

static COMMAND: &[Entry] = &[
    Entry {
        name: "command|count",
        arity: exactly(2),
        summary: "Returns how many commands there are.",
        run: Run::Connection(docs::count),
        ..ON_THE_SERVER
    },
    Entry {
        name: "command|docs",
        arity: from_to(2, 2 + MAX_OPTIONS),
        summary: "Returns the documentation of some commands, or of all.",
        arguments: COMMAND_NAMES,
        run: Run::Connection(docs::docs),
        ..ON_THE_SERVER
    },
    Entry {
        name: "command|info",
        arity: from_to(2, 2 + MAX_OPTIONS),
        summary: "Returns what there is to know about some commands, or about all.",
        arguments: COMMAND_NAMES,
        run: Run::Connection(docs::info),
        ..ON_THE_SERVER
    },
    Entry {
        name: "command|list",
        arity: exactly(2),
        summary: "Returns the names of all commands.",
        run: Run::Connection(docs::list),
        ..ON_THE_SERVER
    },
    Entry { name: "command|help", ..HELP },
];

static CONFIG: &[Entry] = &[
    Entry {
        name: "config|get",
        arity: from_to(3, 2 + MAX_OPTIONS),
        summary: "Returns what Redis would have configured, as far as it means something here.",
        arguments: &[Argument::new("parameter", "string").multiple()],
        run: Run::Connection(connection::config_get),
        ..ON_THE_SERVER
    },
    Entry { name: "config|help", ..HELP },
];

const HELP: Entry = Entry { arity: exactly(2), summary: "Lists the subcommands.", ..ON_THE_SERVER };
