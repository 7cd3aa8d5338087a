//! What requests mean, and replies as bytes. Replies are read back by a parser of our own, so that none
//! goes out of step.

use super::*;

use std::io::{self, Read};
use std::net::SocketAddr;

use bytes::BytesMut;
use proptest::prelude::*;

use crate::command::{
    Bounds, Command, End, Error, ErrorCode, MAX_QUANTILES, Order, Reply, Selection, Show, Stats,
    Tier, ValueStream, Version,
};
use crate::session::{Name, RespVersion, Session};

use super::table::{COMMANDS, Entry};

const AMPLE: usize = 16 * 1024 * 1024;

const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";

fn session() -> Session {
    Session::new(7, SocketAddr::from(([127, 0, 0, 1], 5)))
}

fn request(bytes: &[u8]) -> Request {
    match Decoder::new(AMPLE).decode(&mut BytesMut::from(bytes)) {
        Decoded::Request(request) => request,
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

/// What a line means.
fn meaning(session: &mut Session, line: &str) -> Meaning {
    interpret(request(format!("{line}\r\n").as_bytes()), session)
}

/// The command that a line stands for.
fn command(line: &str) -> Command {
    match meaning(&mut session(), line) {
        Meaning::Command(_, command) => command,
        other => panic!("{line}: {other:?}"),
    }
}

/// What a line is answered at once.
fn answer(session: &mut Session, line: &str) -> String {
    match meaning(session, line) {
        Meaning::Reply(reply) => text(&reply),
        other => panic!("{line}: {other:?}"),
    }
}

/// A whole reply as text, which is well-formed.
fn text(reply: &[u8]) -> String {
    assert_eq!(skip_frame(reply), Some(&b""[..]), "{}", reply.escape_ascii());
    String::from_utf8(reply.to_vec()).expect("replies here are text")
}

/// What is behind the first frame; none if there is no whole one.
fn skip_frame(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (header, mut rest) = (&bytes[..end], &bytes[end + 2..]);
    let (kind, header) = header.split_first()?;
    let number = || std::str::from_utf8(header).ok()?.parse::<i64>().ok();
    let elements = match kind {
        b'+' | b'-' => 0,
        b':' => number().map(|_| 0)?,
        b'_' => header.is_empty().then_some(0)?,
        b'$' if header == b"-1" => 0,
        b'$' | b'=' => {
            let length = usize::try_from(number()?).ok()?;
            return rest.get(length..)?.strip_prefix(b"\r\n");
        }
        b'*' | b'~' => number()?,
        b'%' => 2 * number()?,
        _ => return None,
    };
    for _ in 0..elements {
        rest = skip_frame(rest)?;
    }
    Some(rest)
}

// --- What requests mean

#[test]
fn each_request_for_the_array_has_its_command() {
    use Command::{Add, Array, At, Clear, Count, Extreme, Pop, Quantiles, Rank, Remove};
    use Order::{Ascending, Descending};
    let bounds = |min, max| Bounds { min, max };
    let slice = |start, stop, order| Command::Slice { start, stop, order };
    let all = Selection::ALL;
    let some = Selection { bounds: bounds(-5, 9), ..all };
    let none = bounds(i64::MAX, i64::MIN);
    let cases = [
        ("ADD 5", Add { values: vec![5], show: Show::Count }),
        ("add 5 -3 5", Add { values: vec![5, -3, 5], show: Show::Count }),
        (
            "Add 9223372036854775807 -9223372036854775808",
            Add { values: vec![i64::MAX, i64::MIN], show: Show::Count },
        ),
        ("ADD 000000000042 -007 0 -0", Add { values: vec![42, -7, 0, 0], show: Show::Count }),
        ("RANGE 0 -1", slice(0, -1, Ascending)),
        ("RANGE -3 7 REV", slice(-3, 7, Descending)),
        ("range 5 1 rev", slice(5, 1, Descending)),
        ("BETWEEN -5 9", Array(some)),
        ("BETWEEN -inf +inf", Array(all)),
        ("BETWEEN -INF inf", Array(all)),
        ("BETWEEN -5 9 REV", Array(Selection { order: Descending, ..some })),
        ("BETWEEN -5 9 LIMIT 2 3", Array(Selection { offset: 2, limit: 3, ..some })),
        (
            "BETWEEN -5 9 limit 2 3 rev",
            Array(Selection { offset: 2, limit: 3, order: Descending, ..some }),
        ),
        ("BETWEEN -5 9 LIMIT 2 -1", Array(Selection { offset: 2, ..some })),
        ("BETWEEN -5 9 LIMIT -1 2", Array(Selection { limit: 0, ..some })),
        ("BETWEEN +inf +inf", Array(Selection { bounds: none, ..all })),
        ("BETWEEN 0 -inf", Array(Selection { bounds: none, ..all })),
        ("COUNT", Count(Bounds::ALL)),
        ("COUNT 3 5", Count(bounds(3, 5))),
        ("COUNT 5 3", Count(bounds(5, 3))),
        ("COUNT -inf 5", Count(bounds(i64::MIN, 5))),
        ("COUNT 3 +inf", Count(bounds(3, i64::MAX))),
        ("RANK -7", Rank { value: -7 }),
        ("AT -1", At { index: -1 }),
        ("QUANTILE 0.5", Quantiles { q: vec![0.5] }),
        ("QUANTILE 0 1 .5 1e-3 0.99", Quantiles { q: vec![0.0, 1.0, 0.5, 0.001, 0.99] }),
        ("MIN", Extreme(End::Min)),
        ("MAX", Extreme(End::Max)),
        ("REMOVE 5 5 -7", Remove { values: vec![5, 5, -7], all: false }),
        ("REMOVEALL 5 -7", Remove { values: vec![5, -7], all: true }),
        ("REMOVERANGE 3 5", Command::RemoveRange(bounds(3, 5))),
        ("REMOVERANGE -inf +inf", Command::RemoveRange(Bounds::ALL)),
        ("POPMIN", Pop { end: End::Min, n: 1 }),
        ("POPMAX", Pop { end: End::Max, n: 1 }),
        ("POPMIN 3", Pop { end: End::Min, n: 3 }),
        ("POPMAX 0", Pop { end: End::Max, n: 0 }),
        ("CLEAR", Clear),
        ("PING", Command::Ping),
        ("INFO", Command::Stats),
        ("info server clients", Command::Stats),
    ];
    for (line, expected) in cases {
        assert_eq!(command(line), expected, "{line}");
    }
}

#[test]
fn each_refusal_is_worded_as_redis_does() {
    let not_a_float = "-ERR value is not a valid float\r\n";
    let not_a_quantile = "-ERR value is out of range, must be between 0 and 1\r\n";
    let not_positive = "-ERR value is out of range, must be positive\r\n";
    let arity = |name: &str| format!("-ERR wrong number of arguments for '{name}' command\r\n");
    let cases = [
        ("ADD 1 x", NOT_AN_INTEGER.to_owned()),
        ("ADD 1.0", NOT_AN_INTEGER.to_owned()),
        ("ADD +1", NOT_AN_INTEGER.to_owned()),
        ("ADD ' 1'", NOT_AN_INTEGER.to_owned()),
        ("ADD ''", NOT_AN_INTEGER.to_owned()),
        ("ADD -", NOT_AN_INTEGER.to_owned()),
        ("ADD 0x10", NOT_AN_INTEGER.to_owned()),
        ("ADD \\xff", NOT_AN_INTEGER.to_owned()),
        ("ADD 9223372036854775808", NOT_AN_INTEGER.to_owned()),
        ("ADD -9223372036854775809", NOT_AN_INTEGER.to_owned()),
        ("ADD", arity("add")),
        ("add", arity("add")),
        ("RANGE 0", arity("range")),
        ("RANGE a b", NOT_AN_INTEGER.to_owned()),
        ("RANGE 0 1 x", SYNTAX.to_owned()),
        ("RANGE 0 1 REV REV", SYNTAX.to_owned()),
        ("BETWEEN 1", arity("between")),
        ("BETWEEN 1 x", NOT_AN_INTEGER.to_owned()),
        ("BETWEEN (1 5", NOT_AN_INTEGER.to_owned()),
        ("BETWEEN 1 5 x", SYNTAX.to_owned()),
        ("BETWEEN 1 5 REV REV", SYNTAX.to_owned()),
        ("BETWEEN 1 5 LIMIT", SYNTAX.to_owned()),
        ("BETWEEN 1 5 LIMIT 1", SYNTAX.to_owned()),
        ("BETWEEN 1 5 LIMIT 1 x", NOT_AN_INTEGER.to_owned()),
        ("BETWEEN 1 5 LIMIT 1 2 LIMIT 1 2", SYNTAX.to_owned()),
        ("COUNT 1", arity("count")),
        ("COUNT 1 2 3", arity("count")),
        ("COUNT 1 x", NOT_AN_INTEGER.to_owned()),
        ("RANK", arity("rank")),
        ("RANK 1 2", arity("rank")),
        ("RANK inf", NOT_AN_INTEGER.to_owned()),
        ("AT", arity("at")),
        ("AT x", NOT_AN_INTEGER.to_owned()),
        ("QUANTILE", arity("quantile")),
        ("QUANTILE 0.5 x", not_a_float.to_owned()),
        ("QUANTILE nan", not_a_float.to_owned()),
        ("QUANTILE 1.01", not_a_quantile.to_owned()),
        ("QUANTILE -0.1", not_a_quantile.to_owned()),
        ("QUANTILE inf", not_a_quantile.to_owned()),
        ("MIN 1", arity("min")),
        ("MAX 1", arity("max")),
        ("REMOVE", arity("remove")),
        ("REMOVE x", NOT_AN_INTEGER.to_owned()),
        ("REMOVEALL", arity("removeall")),
        ("REMOVERANGE 1", arity("removerange")),
        ("REMOVERANGE 1 2 3", arity("removerange")),
        ("POPMIN x", not_positive.to_owned()),
        ("POPMIN -1", not_positive.to_owned()),
        ("POPMAX 1 2", arity("popmax")),
        ("CLEAR now", arity("clear")),
        ("PING a b", arity("ping")),
        ("ECHO", arity("echo")),
        ("ECHO a b", arity("echo")),
        ("SELECT", arity("select")),
        ("CLIENT", arity("client")),
        ("CLIENT ID x", arity("client|id")),
        ("CLIENT SETNAME", arity("client|setname")),
        ("CLIENT LIST TYPE normal", arity("client|list")),
        ("CLIENT KILL x", "-ERR unknown subcommand 'KILL'. Try CLIENT HELP.\r\n".to_owned()),
        ("COMMAND FOO", "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n".to_owned()),
        ("CONFIG", arity("config")),
        ("CONFIG GET", arity("config|get")),
        ("CONFIG SET a b", "-ERR unknown subcommand 'SET'. Try CONFIG HELP.\r\n".to_owned()),
        ("AUTH", arity("auth")),
        ("AUTH a b c", SYNTAX.to_owned()),
        ("RESET x", arity("reset")),
    ];
    for (line, expected) in cases {
        assert_eq!(answer(&mut session(), line), expected, "{line}");
    }
    let many = " 0.5".repeat(MAX_QUANTILES + 1);
    let refusal = answer(&mut session(), &format!("QUANTILE{many}"));
    assert!(refusal.starts_with("-ERR too many quantiles"), "{refusal}");
    assert!(matches!(command(&format!("QUANTILE{}", &many[4..])), Command::Quantiles { .. }));
    let many = " x".repeat(100);
    assert_eq!(answer(&mut session(), &format!("COMMAND DOCS{many}")), arity("command|docs"));
}

#[test]
fn an_unknown_command_is_quoted_as_redis_does() {
    // As a Redis 7.0 answers these.
    let x = "x".repeat(128);
    let y = "y".repeat(50);
    let cases = [
        ("foo".to_owned(), "'foo', with args beginning with: ".to_owned()),
        (
            "Foo bar \"baz qux\" 'z'".to_owned(),
            "'Foo', with args beginning with: 'bar' 'baz qux' 'z' ".to_owned(),
        ),
        (
            "\"FOO\\r\\nBAR\" 'a b'".to_owned(),
            "'FOO  BAR', with args beginning with: 'a b' ".to_owned(),
        ),
        ("x".repeat(300), format!("'{x}', with args beginning with: ")),
        (format!("a {}", "x".repeat(200)), format!("'a', with args beginning with: '{x}' ")),
        (
            format!("foo {y} {y} {y} {y}"),
            format!("'foo', with args beginning with: '{y}' '{y}' '{}' ", &y[..22]),
        ),
        ("$4".to_owned(), "'$4', with args beginning with: ".to_owned()),
        ("GET key".to_owned(), "'GET', with args beginning with: 'key' ".to_owned()),
        ("DEBUG SLEEP 1".to_owned(), "'DEBUG', with args beginning with: 'SLEEP' '1' ".to_owned()),
        ("SHUTDOWN".to_owned(), "'SHUTDOWN', with args beginning with: ".to_owned()),
    ];
    for (line, expected) in cases {
        let expected = format!("-ERR unknown command {expected}\r\n");
        assert_eq!(answer(&mut session(), &line), expected, "{line}");
    }
    let bytes = b"*2\r\n$2\r\n\xff\xfe\r\n$1\r\n\0\r\n";
    assert!(matches!(interpret(request(bytes), &mut session()), Meaning::Reply(_)));
}

#[test]
fn http_is_told_from_a_command() {
    let http = [
        "GET / HTTP/1.1",
        "get /array HTTP/1.0",
        "OPTIONS * HTTP/1.1",
        "PRI * HTTP/2.0",
        "POST",
        "POST /array HTTP/1.1",
        "post x",
        "Host: localhost",
        "HOST: x y z",
    ];
    for line in http {
        assert!(matches!(meaning(&mut session(), line), Meaning::Http), "{line}");
    }
    for line in ["GET key", "GET key value", "HOST x", "ECHO HTTP/1.1", "ADD / HTTP/1.1"] {
        assert!(!matches!(meaning(&mut session(), line), Meaning::Http), "{line}");
    }
}

#[test]
fn a_large_request_is_left_to_be_parsed_and_its_refusal_is_the_same() {
    let long = " 1234567".repeat(MAX_PARSED_BYTES / 8);
    let Meaning::Unparsed(unparsed) = meaning(&mut session(), &format!("ADD{long}")) else {
        panic!("it is large")
    };
    let (form, parsed) = unparsed.parse().expect("they are integers");
    let expected =
        Command::Add { values: vec![1_234_567; MAX_PARSED_BYTES / 8], show: Show::Count };
    assert_eq!((form, parsed), (unparsed.form(), expected));

    let Meaning::Unparsed(unparsed) = meaning(&mut session(), &format!("REMOVE{long} x")) else {
        panic!("it is large")
    };
    assert_eq!(text(&unparsed.parse().expect_err("one is none")), NOT_AN_INTEGER);
    // Neither the number of arguments nor an echo takes parsing.
    assert!(matches!(meaning(&mut session(), &format!("MIN{long}")), Meaning::Reply(_)));
    assert!(matches!(meaning(&mut session(), &format!("ECHO '{long}'")), Meaning::Reply(_)));
}

// --- The connection's own commands

#[test]
fn a_message_comes_back_as_it_was_sent() {
    for name in ["PING", "ECHO", "echo"] {
        assert_eq!(answer(&mut session(), &format!("{name} hello")), "$5\r\nhello\r\n");
        assert_eq!(answer(&mut session(), &format!("{name} ''")), "$0\r\n\r\n");
    }
    let Meaning::Reply(reply) =
        interpret(request(b"*2\r\n$4\r\nECHO\r\n$4\r\n\0\r\n\xff\r\n"), &mut session())
    else {
        panic!("it is answered")
    };
    assert_eq!(&reply[..], b"$4\r\n\0\r\n\xff\r\n");
}

#[test]
fn hello_agrees_on_a_version_or_changes_nothing() {
    let description = |header: &str, version: u8| {
        let own = env!("CARGO_PKG_VERSION");
        format!(
            "{header}\r\n$6\r\nserver\r\n$5\r\nsortd\r\n$7\r\nversion\r\n${}\r\n{own}\r\n\
             $5\r\nproto\r\n:{version}\r\n$2\r\nid\r\n:7\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n\
             $4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n",
            own.len()
        )
    };
    let mut session = session();
    assert_eq!(answer(&mut session, "HELLO"), description("*14", 2));
    assert_eq!(answer(&mut session, "hello 3"), description("%7", 3));
    assert_eq!(answer(&mut session, "HELLO"), description("%7", 3));
    let refused = [
        ("HELLO 4", "-NOPROTO unsupported protocol version\r\n"),
        ("HELLO 1", "-NOPROTO unsupported protocol version\r\n"),
        ("HELLO x", "-ERR Protocol version is not an integer or out of range\r\n"),
        ("HELLO 2 FOO", "-ERR Syntax error in HELLO option 'FOO'\r\n"),
        ("HELLO 2 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'\r\n"),
        ("HELLO 2 AUTH default", "-ERR Syntax error in HELLO option 'AUTH'\r\n"),
        (
            "HELLO 2 AUTH somebody x",
            "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
        ),
        (
            "HELLO 2 SETNAME 'a b'",
            "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
        ),
        ("HELLO 2 SETNAME me FOO", "-ERR Syntax error in HELLO option 'FOO'\r\n"),
    ];
    for (line, expected) in refused {
        assert_eq!(answer(&mut session, line), expected, "{line}");
        assert_eq!((session.version, session.name.as_str()), (RespVersion::Three, ""), "{line}");
    }
    let line = "HELLO 2 auth default token setname me";
    assert_eq!(answer(&mut session, line), description("*14", 2));
    assert_eq!((session.version, session.name.as_str()), (RespVersion::Two, "me"));
    answer(&mut session, "HELLO 3");
    assert_eq!(session.name.as_str(), "me", "it keeps its name");
}

#[test]
fn the_connections_own_commands() {
    let spaces = "cannot contain spaces, newlines or special characters.";
    let unconfigured = "-ERR AUTH <password> called without any password configured for the \
                        default user. Are you sure your configuration is correct?\r\n";
    let list = |name: &str, library: &str, release: &str| {
        let line = format!(
            "id=7 addr=127.0.0.1:5 name={name} flags=N db=0 sub=0 psub=0 multi=-1 \
             cmd=client|list user=default lib-name={library} lib-ver={release} resp=2\n"
        );
        format!("${}\r\n{line}\r\n", line.len())
    };
    let long = "x".repeat(Name::MAX_BYTES + 1);
    let conversation = [
        ("AUTH x", unconfigured.to_owned()),
        ("AUTH default x", "+OK\r\n".to_owned()),
        (
            "AUTH somebody x",
            "-WRONGPASS invalid username-password pair or user is disabled.\r\n".to_owned(),
        ),
        ("SELECT 0", "+OK\r\n".to_owned()),
        ("SELECT 1", "-ERR DB index is out of range\r\n".to_owned()),
        ("SELECT -1", "-ERR DB index is out of range\r\n".to_owned()),
        ("SELECT x", NOT_AN_INTEGER.to_owned()),
        ("CLIENT ID", ":7\r\n".to_owned()),
        ("client id", ":7\r\n".to_owned()),
        ("CLIENT GETNAME", "$-1\r\n".to_owned()),
        ("CLIENT LIST", list("", "", "")),
        ("CLIENT SETNAME me", "+OK\r\n".to_owned()),
        ("CLIENT GETNAME", "$2\r\nme\r\n".to_owned()),
        ("CLIENT SETNAME 'a b'", format!("-ERR Client names {spaces}\r\n")),
        (
            &format!("CLIENT SETNAME {long}"),
            "-ERR Client names have at most 256 bytes.\r\n".to_owned(),
        ),
        ("CLIENT GETNAME", "$2\r\nme\r\n".to_owned()),
        ("CLIENT SETINFO LIB-NAME lib(a_v1)", "+OK\r\n".to_owned()),
        ("CLIENT SETINFO lib-ver 1.2", "+OK\r\n".to_owned()),
        ("CLIENT SETINFO lib-ver '1 2'", format!("-ERR lib-ver {spaces}\r\n")),
        ("CLIENT SETINFO colour red", "-ERR Unrecognized option 'colour'\r\n".to_owned()),
        ("CLIENT LIST", list("me", "lib(a_v1)", "1.2")),
        ("CLIENT SETNAME ''", "+OK\r\n".to_owned()),
        ("CLIENT GETNAME", "$-1\r\n".to_owned()),
        ("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n".to_owned()),
        ("CONFIG GET APPENDONLY", "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n".to_owned()),
        ("CONFIG GET maxmemory", "*0\r\n".to_owned()),
        (
            "CONFIG GET maxmemory appendonly save save",
            "*4\r\n$4\r\nsave\r\n$0\r\n\r\n$10\r\nappendonly\r\n$2\r\nno\r\n".to_owned(),
        ),
        (
            "CONFIG GET *",
            "*4\r\n$4\r\nsave\r\n$0\r\n\r\n$10\r\nappendonly\r\n$2\r\nno\r\n".to_owned(),
        ),
        ("RESET", "+RESET\r\n".to_owned()),
        ("CLIENT LIST", list("", "", "")),
    ];
    let mut session = session();
    for (line, expected) in conversation {
        assert_eq!(answer(&mut session, line), expected, "{line}");
    }
    for line in ["MULTI", "EXEC"] {
        let refusal = answer(&mut session, line);
        assert!(refusal.starts_with("-ERR ") && refusal.contains("pipelin"), "{refusal}");
    }
}

#[test]
fn resp3_has_types_of_its_own_until_a_reset() {
    let mut session = session();
    answer(&mut session, "HELLO 3");
    let conversation = [
        ("CLIENT GETNAME", "_\r\n"),
        ("CONFIG GET save", "%1\r\n$4\r\nsave\r\n$0\r\n\r\n"),
        ("CONFIG GET nothing", "%0\r\n"),
        ("COMMAND INFO nothing", "*1\r\n_\r\n"),
        ("COMMAND DOCS nothing", "%0\r\n"),
        ("RESET", "+RESET\r\n"),
        ("CLIENT GETNAME", "$-1\r\n"),
    ];
    for (line, expected) in conversation {
        assert_eq!(answer(&mut session, line), expected, "{line}");
    }
    answer(&mut session, "HELLO 3");
    let list = answer(&mut session, "CLIENT LIST");
    assert!(list.starts_with("=122\r\ntxt:id=7 addr="), "{list}");
}

#[test]
fn quit_says_good_bye_and_ends_the_connection() {
    for line in ["QUIT", "quit now"] {
        let Meaning::LastReply(reply) = meaning(&mut session(), line) else { panic!("{line}") };
        assert_eq!(text(&reply), "+OK\r\n");
    }
}

// --- The table

#[test]
fn the_table_is_as_it_must_be() {
    fn check(entry: &Entry, container: Option<&str>) {
        let Entry { name, summary, group, complexity, .. } = entry;
        assert_eq!(*name, name.to_lowercase());
        assert_eq!(name.split_once('|').map(|(first, _)| first), container, "{name}");
        assert!(summary.ends_with('.') && !summary.contains(['\r', '\n']), "{name}");
        assert!(!group.is_empty() && complexity.starts_with("O("), "{name}");
        entry.subcommands.iter().for_each(|subcommand| check(subcommand, Some(name)));
    }
    COMMANDS.iter().for_each(|entry| check(entry, None));
    let mut names: Vec<&str> = COMMANDS.iter().map(|entry| entry.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "each is there once");
}

#[test]
fn the_table_is_told_to_those_who_ask() {
    let mut session = session();
    let count = COMMANDS.len();
    assert_eq!(answer(&mut session, "COMMAND COUNT"), format!(":{count}\r\n"));
    let info = |name: &str, arity: i64, flags: &str| {
        let name = format!("${}\r\n{name}\r\n", name.len());
        format!("*10\r\n{name}:{arity}\r\n{flags}:0\r\n:0\r\n:0\r\n*0\r\n*0\r\n*0\r\n*0\r\n")
    };
    let read = "*2\r\n+readonly\r\n+fast\r\n";
    let cases = [
        ("rank", info("rank", 2, read)),
        ("RANGE", info("range", -3, read)),
        ("add", info("add", -2, "*3\r\n+write\r\n+denyoom\r\n+fast\r\n")),
        ("client|id", info("client|id", 2, "*4\r\n+noscript\r\n+loading\r\n+stale\r\n+fast\r\n")),
        ("get", "$-1\r\n".to_owned()),
        ("client|nothing", "$-1\r\n".to_owned()),
    ];
    for (name, expected) in cases {
        let reply = answer(&mut session, &format!("COMMAND INFO {name}"));
        assert_eq!(reply, format!("*1\r\n{expected}"), "{name}");
    }
    let docs = concat!(
        "*2\r\n$5\r\nrange\r\n*10\r\n",
        "$7\r\nsummary\r\n$62\r\n",
        "Returns the integers from one index to another, both included.\r\n",
    );
    let reply = answer(&mut session, "COMMAND DOCS nothing RANGE");
    assert!(reply.starts_with(docs), "{reply}");
    let rev = concat!(
        "*10\r\n$4\r\nname\r\n$3\r\nrev\r\n$4\r\ntype\r\n$10\r\npure-token\r\n",
        "$12\r\ndisplay_text\r\n$3\r\nrev\r\n$5\r\ntoken\r\n$3\r\nREV\r\n",
        "$5\r\nflags\r\n*1\r\n+optional\r\n",
    );
    assert!(reply.ends_with(rev), "{reply}");
    for line in ["COMMAND", "COMMAND INFO", "COMMAND DOCS", "COMMAND LIST"] {
        for version in ["HELLO 2", "HELLO 3"] {
            answer(&mut session, version);
            let reply = answer(&mut session, line);
            assert!(reply.len() < 64 * 1024, "{line}: {}", reply.len());
            for entry in COMMANDS {
                let name = format!("\r\n${}\r\n{}\r\n", entry.name.len(), entry.name);
                assert!(reply.contains(&name), "{line}: {}", entry.name);
            }
        }
    }
    for container in ["CLIENT", "COMMAND", "CONFIG"] {
        let help = answer(&mut session, &format!("{container} help"));
        assert!(help.contains(&format!("+{container} <subcommand>")), "{help}");
        assert!(help.contains("\r\n+HELP\r\n+    Lists the subcommands.\r\n"), "{help}");
    }
}

#[test]
fn the_readme_names_every_command() {
    let readme = include_str!("../../../README.md");
    for entry in COMMANDS {
        let name = format!("`{}", entry.name.to_uppercase());
        assert!(readme.contains(&name), "{name}`");
    }
}

// --- Replies

/// A reply as one text in both versions.
fn encoded(reply: impl Fn() -> Reply, shape: reply::Shape) -> [String; 2] {
    [RespVersion::Two, RespVersion::Three].map(|version| {
        let mut bytes = BytesMut::new();
        let mut elements = Vec::new();
        if let Some(mut integers) = encode(reply(), Form { version, shape }, &mut bytes) {
            integers.read_to_end(&mut elements).expect("there are as many as announced");
        }
        bytes.extend_from_slice(&elements);
        text(&bytes)
    })
}

#[test]
fn each_reply_encodes_exactly() {
    use reply::Shape::{First, Plain};
    let values = |values: &[i64]| ValueStream::new(Vec::from(values).into_iter());
    let version = Version { run: 0, state: (0, 0) };
    let array = |shown: &[i64]| Reply::Array {
        count: 9,
        shown: shown.len(),
        values: values(shown),
        version,
    };
    let popped = |shown: &[i64]| Reply::Popped { popped: shown.len(), values: values(shown) };
    let quantiles = || Reply::Quantiles { count: 1, quantiles: vec![(0.5, Some(-5)), (1.0, None)] };
    let refused = |code, message| Reply::Error(Error::new(code, message));
    let same = |text: &str| [text.to_owned(), text.to_owned()];
    let null = ["$-1\r\n".to_owned(), "_\r\n".to_owned()];
    let cases: [(Box<dyn Fn() -> Reply>, _, _); 20] = [
        (Box::new(|| Reply::Pong), Plain, same("+PONG\r\n")),
        (Box::new(|| Reply::Added { added: 2, count: 3, values: None }), Plain, same(":3\r\n")),
        (Box::new(|| Reply::Count(9)), Plain, same(":9\r\n")),
        (Box::new(|| Reply::Rank { value: 5, rank: 2, equal: 1 }), Plain, same(":2\r\n")),
        (Box::new(|| Reply::Removed(4)), Plain, same(":4\r\n")),
        (
            Box::new(|| Reply::At { index: 1, value: Some(i64::MIN) }),
            Plain,
            same(":-9223372036854775808\r\n"),
        ),
        (Box::new(|| Reply::At { index: 1, value: None }), Plain, null.clone()),
        (Box::new(|| Reply::Value(Some(5))), Plain, same(":5\r\n")),
        (Box::new(|| Reply::Value(None)), Plain, null.clone()),
        (
            Box::new(quantiles),
            Plain,
            ["*2\r\n:-5\r\n$-1\r\n".to_owned(), "*2\r\n:-5\r\n_\r\n".to_owned()],
        ),
        (
            Box::new(move || array(&[i64::MIN, i64::MAX])),
            Plain,
            same("*2\r\n:-9223372036854775808\r\n:9223372036854775807\r\n"),
        ),
        (Box::new(move || array(&[])), Plain, same("*0\r\n")),
        (Box::new(move || popped(&[7, 5])), Plain, same("*2\r\n:7\r\n:5\r\n")),
        (Box::new(move || popped(&[])), Plain, same("*0\r\n")),
        (Box::new(move || popped(&[7])), First, same(":7\r\n")),
        (Box::new(move || popped(&[])), First, null),
        (
            Box::new(move || refused(ErrorCode::Full, "no room")),
            Plain,
            same("-OOM command not allowed: no room\r\n"),
        ),
        (Box::new(move || refused(ErrorCode::Busy, "later")), First, same("-BUSY later\r\n")),
        (
            Box::new(move || refused(ErrorCode::Timeout, "too late")),
            Plain,
            same("-ERR too late\r\n"),
        ),
        (
            Box::new(move || refused(ErrorCode::BadRequest, "two\r\nlines")),
            Plain,
            same("-ERR two  lines\r\n"),
        ),
    ];
    for (index, (reply, shape, expected)) in cases.into_iter().enumerate() {
        assert_eq!(encoded(reply, shape), expected, "row {index}");
    }
}

#[test]
fn integers_read_the_same_in_pieces_of_any_size() {
    let values: Vec<i64> = (0..1300).chain([i64::MIN, i64::MAX]).collect();
    let expected: String = values.iter().map(|value| format!(":{value}\r\n")).collect();
    for size in [1, 2, 3, 7, 100, 4096, 1 << 20] {
        let stream = ValueStream::new(values.clone().into_iter());
        let mut integers = Integers::new(stream, values.len());
        let (mut text, mut buffer) = (Vec::new(), vec![0; size]);
        loop {
            match integers.read(&mut buffer).expect("there are as many as announced") {
                0 => break,
                n => text.extend_from_slice(&buffer[..n]),
            }
        }
        assert!(text == expected.as_bytes(), "pieces of {size}");
    }
}

#[test]
fn an_array_is_never_longer_and_never_shorter_than_announced() {
    let stream = |n: i64| ValueStream::new((0..n).collect::<Vec<_>>().into_iter());
    let mut text = String::new();
    Integers::new(stream(5), 2).read_to_string(&mut text).expect("two of five are there");
    assert_eq!(text, ":0\r\n:1\r\n");
    let error = Integers::new(stream(5), 6).read_to_end(&mut Vec::new());
    assert_eq!(error.expect_err("one is missing").kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn info_has_the_sections_that_are_asked_for() {
    let stats = || {
        Reply::Stats(Box::new(Stats {
            version: "1.2.3",
            uptime_seconds: 90_000,
            epoch: 5,
            count: 3,
            connections: 6,
            requests: 7,
            values_added: 8,
            values_removed: 9,
            memory_bytes: Some(4096),
            tiers: vec![Tier { kind: "memtable", entries: 3 }],
            ..Stats::default()
        }))
    };
    let info = |line: &str| {
        let Meaning::Command(form, Command::Stats) = meaning(&mut session(), line) else {
            panic!("{line}")
        };
        encoded(stats, form.shape)
    };
    let [two, three] = info("INFO clients keyspace");
    let expected = "# Clients\r\nconnected_clients:6\r\nblocked_clients:0\r\n\
                    \r\n# Keyspace\r\ndb0:keys=3,expires=0,avg_ttl=0\r\n";
    assert_eq!(two, format!("${}\r\n{expected}\r\n", expected.len()));
    assert_eq!(three, format!("={}\r\ntxt:{expected}\r\n", expected.len() + 4));
    assert_eq!(info("INFO nothing")[0], "$0\r\n\r\n");
    let [array, _] = info("info ARRAY");
    let expected = "# Array\r\ncount:3\r\nepoch:5\r\nvalues_added:8\r\nvalues_removed:9\r\n\
                    tier0:kind=memtable,entries=3\r\n";
    assert_eq!(array, format!("${}\r\n{expected}\r\n", expected.len()));
    let [all, _] = info("INFO");
    for other in ["INFO all", "INFO default", "INFO server EVERYTHING"] {
        assert_eq!(info(other)[0], all);
    }
    let fields = [
        "# Server",
        "redis_version:7.2.0",
        "sortd_version:1.2.3",
        "redis_mode:standalone",
        "uptime_in_seconds:90000",
        "uptime_in_days:1",
        "used_memory:4096",
        "loading:0",
        "total_commands_processed:7",
        "role:master",
        "cluster_enabled:0",
        "db0:keys=3,expires=0,avg_ttl=0",
    ];
    for field in fields {
        assert!(all.lines().any(|line| line == field), "{field}: {all}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_request_is_answered_with_one_frame_or_taken(words in words()) {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in &words {
            bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
        for version in [RespVersion::Two, RespVersion::Three] {
            let mut session = Session { version, ..session() };
            match interpret(request(&bytes), &mut session) {
                Meaning::Reply(reply) | Meaning::LastReply(reply) => {
                    prop_assert_eq!(skip_frame(&reply), Some(&b""[..]), "{:?}", reply);
                }
                Meaning::Command(..) | Meaning::Unparsed(_) | Meaning::Http => {}
            }
        }
    }
}

/// Words that are known, and others.
fn words() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let subcommands = COMMANDS.iter().flat_map(|entry| entry.subcommands);
    let names = COMMANDS.iter().chain(subcommands);
    let names = names.map(|entry| entry.name.rsplit('|').next().unwrap_or_default());
    let options = ["REV", "LIMIT", "AUTH", "SETNAME", "default", "-inf", "+inf", "3", "-1", "0.5"];
    let known: Vec<&str> = names.chain(options).collect();
    let word = prop_oneof![
        6 => prop::sample::select(known).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(word, 1..6)
}
