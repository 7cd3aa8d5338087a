//! The clients that people use for Redis. What is not installed here is passed over, and says so.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;

use crate::server::{STUCK, exchange, start};

/// Runs a program to its end with this input.
fn run(program: &str, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).env("TERM", "dumb");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it is installed");
    let id = child.id().to_string();
    // Read to its end or not, closed behind it.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    let (tell, told) = channel();
    thread::spawn(move || tell.send(child.wait_with_output()));
    let output = told.recv_timeout(STUCK).unwrap_or_else(|_| {
        let _ = Command::new("kill").arg(&id).status();
        panic!("{program} {arguments:?} does not end")
    });
    output.expect("it is our child")
}

/// Its output, after it has succeeded.
#[track_caller]
fn output(program: &str, arguments: &[&str], input: &str) -> String {
    let Output { status, stdout, stderr } = run(program, arguments, input);
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(status.success(), "{program} {arguments:?}: {stdout}{stderr}");
    stdout
}

/// Whether a test can be run, which this command tells; where not, says so.
fn is_there(what: &str, program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let is_there = command.status().is_ok_and(|status| status.success());
    if !is_there {
        println!("passed over: there is no {what} here");
    }
    is_there
}

fn port(address: SocketAddr) -> String {
    address.port().to_string()
}

#[test]
fn redis_cli_with_a_command() {
    if !is_there("redis-cli", "redis-cli", &["--version"]) {
        return;
    }
    let server = start();
    let port = port(server.socket_addr());
    let ask = |command: &str| {
        let mut arguments = vec!["-p", &port];
        arguments.extend(command.split(' '));
        output("redis-cli", &arguments, "")
    };
    let conversation = [
        ("PING", "PONG\n"),
        ("ADD 5 3 9 3", "4\n"),
        ("RANGE 0 -1", "3\n3\n5\n9\n"),
        ("--raw RANGE 0 1 REV", "9\n5\n"),
        ("--no-raw RANGE 0 1", "1) (integer) 3\n2) (integer) 3\n"),
        ("--no-raw AT 9", "(nil)\n"),
        ("-3 --no-raw AT 9", "(nil)\n"),
        ("-3 --csv RANGE 0 -1", "3,3,5,9\n"),
        ("--json QUANTILE 0.5 1", "[3,9]\n"),
        ("-n 0 COUNT", "4\n"),
        ("POPMIN 2", "3\n3\n"),
        ("CLEAR", "2\n"),
    ];
    for (command, expected) in conversation {
        assert_eq!(ask(command), expected, "{command}");
    }
    let docs = ask("COMMAND DOCS add");
    assert!(docs.starts_with("add\nsummary\nAdds integers"), "{docs}");
    let info = ask("INFO array");
    assert!(info.contains("count:0"), "{info}");
    // The exit code is up to its version.
    let refused = run("redis-cli", &["-p", &port, "ADD", "x"], "");
    let refused = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert_eq!(refused.trim_end(), "ERR value is not an integer or out of range");
}

#[test]
fn redis_cli_reads_commands_from_a_pipe() {
    if !is_there("redis-cli", "redis-cli", &["--version"]) {
        return;
    }
    let server = start();
    let port = port(server.socket_addr());
    let session = "ADD 4 2\n\nADD x\nRANGE 0 -1\nECHO \"a b\"\nCLIENT SETNAME me\nCLIENT GETNAME\n";
    let expected = "2\n\nERR value is not an integer or out of range\n\n2\n4\na b\nOK\nme\n";
    let answers = output("redis-cli", &["-p", &port], session);
    let lines =
        |text: &str| text.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    assert_eq!(lines(&answers), lines(expected));

    let many: String = (0..5000).map(|i| format!("ADD {i}\r\n")).collect();
    let piped = output("redis-cli", &["-p", &port, "--pipe"], &many);
    assert!(piped.contains("errors: 0, replies: 5000"), "{piped}");
    assert_eq!(exchange(server.socket_addr(), b"COUNT\r\n"), ":5002\r\n");
}

#[test]
fn redis_cli_at_a_terminal() {
    let is_there = is_there("redis-cli", "redis-cli", &["--version"])
        && is_there("script that lends a terminal", "script", &["-qec", "true", "/dev/null"]);
    if !is_there {
        return;
    }
    let server = start();
    let port = port(server.socket_addr());
    let session = "PING\nADD 5 3\nRANGE 0 -1\nhelp between\nHELLO 3\nAT 7\nquit\n";
    let command = format!("redis-cli -p {port}");
    let screen = output("script", &["-qec", &command, "/dev/null"], session);
    let expected = [
        "PONG",
        "(integer) 2",
        "1) (integer) 3",
        "2) (integer) 5",
        "min max [REV] [LIMIT offset count]",
        "\"server\" => \"sortd\"",
        "(nil)",
    ];
    let mut rest = &screen[..];
    for part in expected {
        let at = rest.find(part).unwrap_or_else(|| panic!("no {part:?} in {rest:?} of {screen:?}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn redis_benchmark() {
    if !is_there("redis-benchmark", "redis-benchmark", &["--version"]) {
        return;
    }
    let server = start();
    let port = port(server.socket_addr());
    let bench = |arguments: &str| {
        let mut all = vec!["-p", &port, "-n", "2000", "-c", "20"];
        all.extend(arguments.split(' '));
        let text = output("redis-benchmark", &all, "");
        assert!(!text.contains("rror"), "{arguments}: {text}");
        text
    };
    let pings = bench("--csv -t ping_inline,ping_mbulk");
    assert!(pings.contains("\"PING_INLINE\"") && pings.contains("\"PING_MBULK\""), "{pings}");
    let adds = bench("-P 16 -r 1000000 ADD __rand_int__");
    assert!(adds.contains("2000 requests completed"), "{adds}");
    assert_eq!(exchange(server.socket_addr(), b"COUNT\r\n"), ":2000\r\n");
    bench("-3 -n 200 -P 4 -r 1000000 BETWEEN __rand_int__ +inf LIMIT 0 10");
}

#[test]
fn redis_py() {
    if !is_there("redis-py", "python3", &["-c", "import redis"]) {
        return;
    }
    let server = start();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/end_to_end/clients/redis_py.py");
    let said = output("python3", &[script, &port(server.socket_addr())], "");
    assert!(said.ends_with("is content\n"), "{said}");
}

#[test]
fn node_redis() {
    if !is_there("node-redis", "node", &["-e", "require('redis')"]) {
        return;
    }
    let server = start();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/end_to_end/clients/node_redis.js");
    let said = output("node", &[script, &port(server.socket_addr())], "");
    assert_eq!(said, "node-redis is content\n");
}
