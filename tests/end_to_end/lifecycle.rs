//! The program's life: start, refusal to start, signals, and a lack of descriptors.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;

use crate::http_client::{Client, request};
use crate::server::{Lines, Program, config, connect, exchange, read_to_end, start, start_with};

fn output_of(flags: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sortd")).args(flags).output();
    let output = output.expect("the program can be started");
    assert_eq!(output.stdout, b"", "stdout is for the line that says ready");
    (output.status.code(), String::from_utf8(output.stderr).expect("it is text"))
}

#[test]
fn usage_errors_exit_with_2_and_others_with_1() {
    for flags in [["--workers", "0"], ["--listen", "nowhere"], ["--no-such-flag", "1"]] {
        let (code, stderr) = output_of(&flags);
        assert_eq!(code, Some(2), "{flags:?}: {stderr}");
        assert!(stderr.contains(flags[0]), "{stderr}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let taken = listener.local_addr().expect("it is bound").to_string();
    for flag in ["--listen", "--http"] {
        let other = if flag == "--listen" { "--http" } else { "--listen" };
        let (code, stderr) = output_of(&[flag, &taken, other, "127.0.0.1:0"]);
        assert_eq!((code, stderr.lines().count()), (Some(1), 1), "{stderr}");
        assert!(stderr.contains(flag) && stderr.contains(&taken), "{stderr}");
    }
    let (code, stderr) = output_of(&["--log-file", "/no/such/folder/log"]);
    assert_eq!((code, stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.contains("--log-file"), "{stderr}");
}

#[test]
fn a_signal_ends_it_with_0_after_what_was_received_is_answered() {
    for signal in ["TERM", "INT"] {
        let program = Program::start(&[], None);
        let mut idle = connect(program.socket);
        let mut lines = Lines::over(connect(program.socket));
        let mut half_line = connect(program.socket);
        let mut half_http = connect(program.http);
        // Served once, so that all of them are known to be in the server's hands.
        assert_eq!(lines.ask("[2,1]"), "[1,2]");
        half_line.write_all(b"{\"op\":\"ping\"}\n[3,").expect("the server reads");
        let mut pong = [0; 14];
        half_line.read_exact(&mut pong).expect("it is answered");
        half_http.write_all(request("GET", "/livez", "").as_bytes()).expect("the server reads");
        half_http
            .write_all(b"POST /array HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n[")
            .expect("so it does");
        lines.send("[0]\n{\"op\":\"count\"}\n");
        program.signal(signal);
        assert_eq!(lines.read(), "[0,1,2]");
        assert_eq!(lines.read(), r#"{"count":3}"#);
        assert_eq!(lines.read(), "", "closed in order");
        let reply = read_to_end(half_line);
        assert!(reply.starts_with(r#"{"error":{"code":"shutting_down""#), "{reply}");
        let reply = read_to_end(half_http);
        let (live, refused) = (reply.find("200 OK"), reply.find("HTTP/1.1 503 "));
        assert!(live.is_some() && refused > live, "{reply}");
        assert_eq!(idle.read(&mut [0; 1]).expect("closed in order"), 0);
        assert_eq!(program.wait(), Some(0));
    }
}

#[test]
fn a_reply_under_way_is_completed() {
    let server = start();
    let values: Vec<i64> = (0..300_000).collect();
    let mut lines = Lines::connect(&server);
    lines.ask(&serde_json::json!({"op": "add", "values": values}).to_string());
    let mut reader = connect(server.socket_addr());
    reader.write_all(b"[]\n").expect("the server reads");
    reader.read_exact(&mut [0; 1]).expect("the reply begins");
    server.shutdown();
    let rest = read_to_end(reader);
    let expected = serde_json::to_string(&values).expect("numbers are JSON");
    assert!(rest == format!("{}\n", &expected[1..]), "the array came whole");
    server.wait().expect("it ends in order");
}

#[test]
fn while_it_drains_it_serves_and_says_not_ready() {
    let hour = std::time::Duration::from_secs(3600);
    let server = start_with(sortd::Config { drain: hour, ..config() });
    let mut client = Client::connect(server.http_addr());
    assert_eq!(client.ask("GET", "/readyz", "").status, 200);
    server.shutdown();
    let mut later = Client::connect(server.http_addr());
    // The word spreads from loop to loop.
    let not_ready =
        |client: &mut Client| (0..10_000).any(|_| client.ask("GET", "/readyz", "").status == 503);
    assert!(not_ready(&mut client) && not_ready(&mut later));
    assert_eq!(later.ask("GET", "/livez", "").status, 200);
    assert_eq!(later.ask("POST", "/array", "[1]").status, 201);
    server.shutdown();
    server.wait().expect("a second word ends it");
}

#[test]
fn a_dropped_server_frees_its_ports() {
    let server = start();
    let (socket, http) = (server.socket_addr(), server.http_addr());
    Lines::connect(&server).ask("[1]");
    drop(server);
    let again = start_with(sortd::Config { listen: socket, http, ..config() });
    assert_eq!(exchange(again.socket_addr(), b"[2]\n"), "[2]\n", "and it starts empty");
}

#[test]
fn it_survives_a_lack_of_descriptors() {
    let program = Program::start(&["--workers", "1"], Some(48));
    let mut first = Lines::over(connect(program.socket));
    assert_eq!(first.ask(r#"{"op":"ping"}"#), r#"{"pong":true}"#);
    // More than there are descriptors for. Each is admitted or turned away, none waits for ever.
    let mut admitted = Vec::new();
    let mut turned_away = 0;
    for _ in 0..100 {
        let mut stream = connect(program.socket);
        // To somebody who has been turned away already, sending may fail.
        let sent = stream.write_all(b"{\"op\":\"ping\"}\n");
        let mut reply = [0; 14];
        let read = sent.and_then(|()| stream.read_exact(&mut reply));
        if read.is_ok() && &reply == b"{\"pong\":true}\n" {
            admitted.push(stream);
        } else {
            turned_away += 1;
        }
    }
    assert!(admitted.len() > 10 && turned_away > 10, "{} admitted", admitted.len());
    assert_eq!(first.ask(r#"{"op":"ping"}"#), r#"{"pong":true}"#);

    for stream in admitted {
        close(stream);
    }
    let served = (0..10_000).any(|_| exchange_or_nothing(&program, b"[5]\n") == b"[5]\n");
    assert!(served, "with descriptors free again, new clients are served");
    program.signal("TERM");
    assert_eq!(program.wait(), Some(0));
}

/// Closes in order and waits until the server has closed too.
fn close(mut stream: TcpStream) {
    stream.shutdown(Shutdown::Write).expect("the connection stands");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the server closes in order");
}

fn exchange_or_nothing(program: &Program, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(program.socket);
    let mut reply = Vec::new();
    // Somebody who is turned away may find the connection reset.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let _ = stream.read_to_end(&mut reply);
    reply
}

#[test]
fn reading_a_million_values_takes_little_memory() {
    let program = Program::start(&[], None);
    let mut lines = Lines::over(connect(program.socket));
    let values: Vec<i64> = (0..1_000_000).map(|i| i64::MIN + i).collect();
    for batch in values.chunks(20_000) {
        lines.ask(&serde_json::json!({"op": "add", "values": batch}).to_string());
    }
    let before = program.status("VmHWM");
    let mut client = Client::connect(program.http);
    let body = client.ask("GET", "/array", "").body;
    assert!(body.len() > 20_000_000, "{}", body.len());
    let grown = program.status("VmHWM") - before;
    assert!(grown <= 8 * 1024, "{grown} KiB");
}
