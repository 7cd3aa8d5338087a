//! The Redis protocol over a real socket, as raw bytes.

use std::io::{Read, Write};
use std::net::Shutdown;

use sortd::Config;

use crate::http_client::Client;
use crate::resp_client::{Resp, array};
use crate::server::{Lines, Program, config, connect, exchange, read_to_end, start, start_with};

/// An array of integers as it is sent.
fn integers(values: &[i64]) -> String {
    let elements: String = values.iter().map(|value| format!(":{value}\r\n")).collect();
    format!("*{}\r\n{elements}", values.len())
}

const NULL: &str = "$-1\r\n";
const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";

#[test]
fn every_command_on_the_array() {
    let server = start();
    let mut client = Resp::connect(&server);
    let n = |n: i64| format!(":{n}\r\n");
    let null = || NULL.to_owned();
    let conversation = [
        ("COUNT", n(0)),
        ("MIN", null()),
        ("MAX", null()),
        ("AT 0", null()),
        ("POPMIN", null()),
        ("POPMAX", null()),
        ("POPMIN 3", integers(&[])),
        ("RANGE 0 -1", integers(&[])),
        ("QUANTILE 0.5 1", "*2\r\n$-1\r\n$-1\r\n".to_owned()),
        ("CLEAR", n(0)),
        ("ADD 5", n(1)),
        ("ADD 3 9 3 -2 000000000007", n(6)),
        ("add 9223372036854775807 -9223372036854775808", n(8)),
        ("RANGE 0 -1", integers(&[i64::MIN, -2, 3, 3, 5, 7, 9, i64::MAX])),
        ("RANGE 1 3", integers(&[-2, 3, 3])),
        ("RANGE -3 -2", integers(&[7, 9])),
        ("RANGE -100 1", integers(&[i64::MIN, -2])),
        ("RANGE 6 100", integers(&[9, i64::MAX])),
        ("RANGE 5 4", integers(&[])),
        ("RANGE 8 9", integers(&[])),
        ("RANGE 0 2 REV", integers(&[i64::MAX, 9, 7])),
        ("RANGE -2 -1 rev", integers(&[-2, i64::MIN])),
        ("BETWEEN 3 7", integers(&[3, 3, 5, 7])),
        ("BETWEEN 3 7 REV", integers(&[7, 5, 3, 3])),
        ("BETWEEN -inf 3", integers(&[i64::MIN, -2, 3, 3])),
        ("BETWEEN 9 +inf", integers(&[9, i64::MAX])),
        ("BETWEEN +inf +inf", integers(&[])),
        ("BETWEEN 7 3", integers(&[])),
        ("BETWEEN 3 9 LIMIT 1 2", integers(&[3, 5])),
        ("BETWEEN 3 9 LIMIT 1 -1", integers(&[3, 5, 7, 9])),
        ("BETWEEN 3 9 REV LIMIT 1 2", integers(&[7, 5])),
        ("BETWEEN 3 9 LIMIT 1 2 REV", integers(&[7, 5])),
        ("BETWEEN 3 9 LIMIT 9 2", integers(&[])),
        ("COUNT", n(8)),
        ("COUNT 3 5", n(3)),
        ("COUNT -inf +inf", n(8)),
        ("COUNT +inf +inf", n(0)),
        ("RANK -9223372036854775808", n(0)),
        ("RANK 3", n(2)),
        ("RANK 4", n(4)),
        ("RANK 9223372036854775807", n(7)),
        ("AT 0", n(i64::MIN)),
        ("AT -1", n(i64::MAX)),
        ("AT 2", n(3)),
        ("AT 8", null()),
        ("AT -9", null()),
        ("QUANTILE 0", integers(&[i64::MIN])),
        ("QUANTILE 0.5 0.99 1 .25", integers(&[3, i64::MAX, i64::MAX, -2])),
        ("MIN", n(i64::MIN)),
        ("MAX", n(i64::MAX)),
        ("POPMIN", n(i64::MIN)),
        ("POPMAX", n(i64::MAX)),
        ("REMOVE 3 100 9", n(2)),
        ("RANGE 0 -1", integers(&[-2, 3, 5, 7])),
        ("ADD 3 3 5", n(7)),
        ("REMOVEALL 3 100", n(3)),
        ("RANGE 0 -1", integers(&[-2, 5, 5, 7])),
        ("REMOVERANGE 5 6", n(2)),
        ("REMOVERANGE 7 -inf", n(0)),
        ("RANGE 0 -1", integers(&[-2, 7])),
        ("ADD 1 2", n(4)),
        ("POPMIN 2", integers(&[-2, 1])),
        ("POPMAX 9", integers(&[7, 2])),
        ("POPMAX 0", integers(&[])),
        ("ADD 1 2 3", n(3)),
        ("CLEAR", n(3)),
        ("COUNT", n(0)),
    ];
    for (command, expected) in conversation {
        assert_eq!(client.ask(command), expected, "{command}");
    }
}

#[test]
fn every_housekeeping_command() {
    let server = start();
    let mut client = Resp::connect(&server);
    let id = client.ask("CLIENT ID");
    let ok = "+OK\r\n";
    let no_transactions = "-ERR there are no transactions: each command is atomic by itself, and \
                           pipelining works without MULTI and EXEC\r\n";
    let own = env!("CARGO_PKG_VERSION");
    let hello = |header: &str, version: u8| {
        format!(
            "{header}\r\n$6\r\nserver\r\n$5\r\nsortd\r\n$7\r\nversion\r\n${}\r\n{own}\r\n\
             $5\r\nproto\r\n:{version}\r\n$2\r\nid\r\n{id}$4\r\nmode\r\n$10\r\nstandalone\r\n\
             $4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n",
            own.len()
        )
    };
    let (hello_2, hello_3) = (hello("*14", 2), hello("%7", 3));
    let unconfigured = "-ERR AUTH <password> called without any password configured for the \
                        default user. Are you sure your configuration is correct?\r\n";
    let conversation = [
        ("PING", "+PONG\r\n"),
        ("ping hello", "$5\r\nhello\r\n"),
        ("ECHO hello", "$5\r\nhello\r\n"),
        ("SELECT 0", ok),
        ("SELECT 1", "-ERR DB index is out of range\r\n"),
        ("AUTH token", unconfigured),
        ("CLIENT SETNAME me", ok),
        ("CLIENT GETNAME", "$2\r\nme\r\n"),
        ("CLIENT SETINFO LIB-NAME mine", ok),
        ("CLIENT SETINFO LIB-VER 1.0", ok),
        ("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"),
        ("CONFIG GET appendonly", "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n"),
        ("CONFIG GET maxmemory", "*0\r\n"),
        ("MULTI", no_transactions),
        ("EXEC", no_transactions),
        ("HELLO", &hello_2),
        ("HELLO 4", "-NOPROTO unsupported protocol version\r\n"),
        ("HELLO 3", &hello_3),
        ("AT 0", "_\r\n"),
        ("CONFIG GET save", "%1\r\n$4\r\nsave\r\n$0\r\n\r\n"),
        ("QUANTILE 1", "*1\r\n_\r\n"),
        ("HELLO 2 AUTH default token SETNAME you", &hello_2),
        ("CLIENT GETNAME", "$3\r\nyou\r\n"),
        ("RESET", "+RESET\r\n"),
        ("CLIENT GETNAME", NULL),
        ("get x", "-ERR unknown command 'get', with args beginning with: 'x' \r\n"),
        ("SHUTDOWN", "-ERR unknown command 'SHUTDOWN', with args beginning with: \r\n"),
        ("ADD", "-ERR wrong number of arguments for 'add' command\r\n"),
        ("ADD 1 2.5", NOT_AN_INTEGER),
        ("ADD 9223372036854775808", NOT_AN_INTEGER),
        ("COUNT", ":0\r\n"),
        ("QUIT", ok),
    ];
    for (command, expected) in conversation {
        assert_eq!(client.ask(command), expected, "{command}");
    }
    assert_eq!(client.read(), "", "closed in order");

    let mut others: Vec<Resp> = (0..10).map(|_| Resp::connect(&server)).collect();
    let mut ids: Vec<String> = others.iter_mut().map(|other| other.ask("CLIENT ID")).collect();
    ids.push(id);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 11, "no two connections have the same number");
}

#[test]
fn what_there_is_to_know_is_told() {
    let server = start();
    let mut client = Resp::connect(&server);
    client.ask("ADD 5 3 9");
    let info = client.ask("INFO");
    for field in ["redis_version:7.2.0", "connected_clients:1", "count:3", "loading:0"] {
        assert!(info.contains(&format!("\r\n{field}\r\n")), "{field}: {info}");
    }
    let own = concat!("\r\nsortd_version:", env!("CARGO_PKG_VERSION"), "\r\n");
    assert!(info.contains(own), "{info}");
    assert_eq!(client.ask("INFO nothing"), "$0\r\n\r\n");
    let list = client.ask("CLIENT LIST");
    assert!(list.contains(" resp=2\n") && list.matches('\n').count() == 3, "{list}");
    let count = client.ask("COMMAND COUNT");
    let listed = client.ask("COMMAND LIST");
    assert_eq!(listed.lines().next(), Some(count.trim_end().replace(':', "*").as_str()));
    assert!(client.ask("COMMAND DOCS").contains("$11\r\nsubcommands\r\n"));
    assert!(client.ask("COMMAND INFO add nothing").ends_with(NULL));
}

#[test]
fn words_are_a_command_too_and_bytes_may_come_one_by_one() {
    let server = start();
    let mut client = connect(server.socket_addr());
    client.set_nodelay(true).expect("the connection stands");
    let session = b"add 2 1\r\n*2\r\n$4\r\nECHO\r\n$2\r\n\r\n\r\nECHO \"a b\"\nRANGE 0 -1\r\nQUIT\r\nADD 3\r\n";
    for byte in session {
        // After the farewell the server may not take more.
        let _ = client.write_all(&[*byte]);
    }
    let expected = ":2\r\n$2\r\n\r\n\r\n$3\r\na b\r\n*2\r\n:1\r\n:2\r\n+OK\r\n";
    assert_eq!(read_to_end(client), expected);
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let server = start();
    let n = 5000;
    let requests: Vec<u8> = (0..n).flat_map(|i| array(&format!("ADD {i}"))).collect();
    let replies: String = (1..=n).map(|i| format!(":{i}\r\n")).collect();
    assert_eq!(exchange(server.socket_addr(), &requests), replies);
}

#[test]
fn malformed_requests_end_their_connection_and_no_other() {
    let server = start_with(Config { max_request_bytes: 1000, ..config() });
    let mut bystander = Resp::connect(&server);
    let long = "1".repeat(1001);
    let rows = [
        ("*a\r\n", "invalid multibulk length"),
        ("*1048577\r\n", "invalid multibulk length"),
        ("*99999999999999999999\r\n", "invalid multibulk length"),
        ("*1\r\nPING\r\n", "expected '$', got 'P'"),
        ("*1\r\n:4\r\n", "expected '$', got ':'"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$x\r\n", "invalid bulk length"),
        ("*1\r\n$9223372036854775807\r\n", "too big request"),
        ("*1\r\n$1000\r\n", "too big request"),
        ("*1\r\n$4\r\nPINGPONG\r\n", "expected CRLF after a bulk string"),
        ("ECHO \"a\r\n", "unbalanced quotes in request"),
        (&format!("*{long}"), "too big mbulk count string"),
        (&format!("*1\r\n${long}"), "too big bulk count string"),
        (&format!("A{long}"), "too big inline request"),
    ];
    for (bytes, message) in rows {
        let mut client = connect(server.socket_addr());
        client.write_all(b"PING\r\n").expect("the server reads");
        client.write_all(bytes.as_bytes()).expect("the server reads");
        client.write_all(b"ADD 1\r\n").expect("the server reads");
        let shown = &bytes[..bytes.len().min(80)];
        let expected = format!("+PONG\r\n-ERR Protocol error: {message}\r\n");
        assert_eq!(read_to_end(client), expected, "{shown:?}");
        assert_eq!(bystander.ask("COUNT"), ":0\r\n", "{shown:?}");
    }
    for http in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\r\n\r\nADD 1\r\n"] {
        assert_eq!(exchange(server.socket_addr(), http.as_bytes()), "");
        assert_eq!(bystander.ask("COUNT"), ":0\r\n", "{http:?}");
    }
}

#[test]
fn an_add_past_the_cap_is_out_of_memory() {
    let server = start_with(Config { max_values: 3, ..config() });
    let mut client = Resp::connect(&server);
    let refusal = client.ask("ADD 1 2 3 4");
    assert!(refusal.starts_with("-OOM command not allowed"), "{refusal}");
    assert_eq!(client.ask("ADD 1 2 3"), ":3\r\n");
    assert!(client.ask("ADD 4").starts_with("-OOM "));
    assert_eq!(client.ask("POPMIN"), ":1\r\n");
    assert_eq!(client.ask("ADD 4"), ":3\r\n");
}

#[test]
fn all_faces_see_one_array() {
    let server = start();
    let (mut resp, mut lines) = (Resp::connect(&server), Lines::connect(&server));
    let mut http = Client::connect(server.http_addr());
    assert_eq!(resp.ask("ADD 5"), ":1\r\n");
    assert_eq!(lines.ask("[3]"), "[3,5]");
    assert_eq!(http.ask("POST", "/array", "9").status, 201);
    assert_eq!(resp.ask("RANGE 0 -1"), integers(&[3, 5, 9]));
    assert_eq!(http.ask("GET", "/array", "").body, "[3,5,9]\n");
    assert_eq!(resp.ask("CLEAR"), ":3\r\n");
    assert_eq!(lines.ask("[]"), "[]");
}

#[test]
fn a_large_array_goes_both_ways_while_others_are_served() {
    let server = start();
    let mut client = Resp::connect(&server);
    // More than the buffers between the two take: the server has to stop and go on.
    let values: Vec<i64> = (0..600_000).map(|i| i64::MIN + i).collect();
    for (index, batch) in values.chunks(100_000).enumerate() {
        let words: Vec<String> = batch.iter().map(i64::to_string).collect();
        let count = (index + 1) * 100_000;
        assert_eq!(client.ask(&format!("ADD {}", words.join(" "))), format!(":{count}\r\n"));
    }
    let mut slow = connect(server.socket_addr());
    slow.write_all(b"RANGE 0 -1\r\nPING\r\n").expect("the server reads");
    let mut first = [0; 1];
    slow.read_exact(&mut first).expect("the reply begins");
    for i in 1..100 {
        // The snapshot that is being sent was taken before these.
        assert_eq!(client.ask(&format!("ADD {i}")), format!(":{}\r\n", values.len() + i));
    }
    slow.shutdown(Shutdown::Write).expect("the connection stands");
    let rest = read_to_end(slow);
    assert!(first == *b"*" && rest == format!("{}+PONG\r\n", &integers(&values)[1..]));
}

#[test]
fn a_signal_ends_it_after_what_was_received_is_answered() {
    let program = Program::start(&[], None);
    let mut whole = Resp::over(connect(program.socket));
    let mut half = Resp::over(connect(program.socket));
    assert_eq!(whole.ask("PING"), "+PONG\r\n");
    half.send(b"PING\r\n*1\r\n");
    assert_eq!(half.read(), "+PONG\r\n");
    whole.send(b"ADD 1\r\nCOUNT\r\n");
    program.signal("TERM");
    assert_eq!((whole.read(), whole.read()), (":1\r\n".to_owned(), ":1\r\n".to_owned()));
    assert_eq!(whole.read(), "", "closed in order");
    assert_eq!(half.read(), "-ERR the server is shutting down\r\n");
    assert_eq!(half.read(), "");
    assert_eq!(program.wait(), Some(0));
}

#[test]
fn what_is_not_done_in_time_is_refused() {
    let second = std::time::Duration::from_secs(1);
    let server = start_with(Config { request_timeout: second, ..config() });
    let mut client = connect(server.socket_addr());
    client.write_all(b"PING\r\n*2\r\n$3\r\nADD\r\n").expect("the server reads");
    assert_eq!(read_to_end(client), "+PONG\r\n-ERR the request was not complete in time\r\n");
}
