//! Clients that mean no good, or know no better: each gets an answer and harms nobody else.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use sortd::{Config, Server};

use crate::http_client::Client;
use crate::server::{Lines, config, connect, exchange, read_to_end, start, start_with};

/// A client on each face is served as if nothing had been.
fn assert_unharmed(server: &Server) {
    assert_eq!(Lines::connect(server).ask(r#"{"op":"ping"}"#), r#"{"pong":true}"#);
    assert_eq!(Client::connect(server.http_addr()).ask("GET", "/array/count", "").status, 200);
}

#[test]
fn malformed_http_is_refused_by_name() {
    let server = start();
    let mut bystander = Client::connect(server.http_addr());
    let host = "Host: x\r\n";
    let many_headers = "a: b\r\n".repeat(65);
    let long_header = format!("a: {}\r\n", "b".repeat(16 * 1024));
    let long_target = "a".repeat(8 * 1024);
    let chunked = format!("POST /array HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n");
    let expect = format!("POST /array HTTP/1.1\r\n{host}Expect: 100-continue\r\n");
    let rows = [
        (format!("POST /array HTTP/1.1\r\n{host}Content-Length: 99999999999999\r\n\r\n"), 413),
        (format!("POST /array HTTP/1.1\r\n{host}Content-Length: {}\r\n\r\n", "9".repeat(99)), 413),
        (format!("POST /array HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n"), 400),
        (
            format!(
                "POST /array HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 1\r\n\r\n5"
            ),
            400,
        ),
        (format!("POST /array HTTP/1.1\r\n{host}Transfer-Encoding: gzip\r\n\r\n"), 501),
        (
            format!(
                "POST /array HTTP/1.1\r\n{host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n5"
            ),
            400,
        ),
        ("POST /array HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), 400),
        (format!("{chunked}ffffffffffffffff\r\n"), 413),
        (format!("{chunked}4000001\r\n"), 413),
        (format!("{chunked}-1\r\n"), 400),
        (format!("{chunked}1\n5\n0\n\n"), 400),
        (format!("{chunked}1\r\n55\r\n"), 400),
        (format!("{chunked}{}0\r\n\r\n", "1;extension\r\n \r\n".repeat(10_000)), 400),
        (format!("{chunked}1;{}", "e".repeat(20_000)), 400),
        (format!("{chunked}0\r\n{}", "a: b\r\n".repeat(10_000)), 431),
        (format!("{expect}Content-Length: 67108865\r\n\r\n"), 413),
        (format!("POST /array HTTP/1.1\r\n{host}Expect: tea\r\n\r\n"), 417),
        (format!("GET / HTTP/2.0\r\n{host}\r\n"), 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505),
        (format!("GET / HTTP/1.1\n{host}\n"), 400),
        (format!("GET / HTTP/1.1\r\n{host} folded: x\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{host}a : b\r\n\r\n"), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{host}{host}\r\n"), 400),
        ("GET /\r\n\r\n".to_owned(), 400),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{host}{many_headers}\r\n"), 431),
        (format!("GET / HTTP/1.1\r\n{host}{long_header}\r\n"), 431),
        (format!("GET /{long_target} HTTP/1.1\r\n{host}\r\n"), 414),
    ];
    for (request, status) in rows {
        let shown = &request[..request.len().min(80)];
        let mut client = Client::connect(server.http_addr());
        client.send(&request);
        let response = client.read(false);
        assert_eq!(response.status, status, "{shown:?}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"), "{shown:?}");
        assert_eq!(response.header("connection"), Some("close"), "{shown:?}");
        assert!(client.is_closed(), "{shown:?}");
        assert_eq!(bystander.ask("GET", "/array/count", "").body, "{\"count\":0}\n", "{shown:?}");
    }
    assert_unharmed(&server);
}

#[test]
fn a_body_is_refused_on_its_head_and_the_answer_arrives() {
    let server = start_with(Config { max_request_bytes: 1000, ..config() });
    let mut fits = Client::connect(server.http_addr());
    assert_eq!(fits.ask("POST", "/array?reply=count", &format!("{:1000}", 5)).status, 201);
    // The client sends all of its body before it reads. Unless the server reads on for a while, what
    // it has not read resets the connection and the answer is lost.
    let mut client = connect(server.http_addr());
    let head = "POST /array HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n";
    client.write_all(head.as_bytes()).expect("the server reads");
    client.write_all(&[b' '; 500_000]).expect("the server reads on");
    client.shutdown(Shutdown::Write).expect("the connection stands");
    let reply = read_to_end(client);
    assert!(reply.starts_with("HTTP/1.1 413 "), "{reply}");
}

#[test]
fn a_line_too_long_is_refused_and_the_answer_arrives() {
    let server = start_with(Config { max_request_bytes: 1000, ..config() });
    let fits = format!("{:1000}\n", "[5]");
    assert_eq!(exchange(server.socket_addr(), fits.as_bytes()), "[5]\n");
    for end in ["", "\n"] {
        let line = format!("{:1001}{end}", "[5]");
        let reply = exchange(server.socket_addr(), line.as_bytes());
        assert!(reply.starts_with(r#"{"error":{"code":"too_large""#), "{reply}");
    }
    let reply = exchange(server.socket_addr(), &[b'['; 500_000]);
    assert!(reply.starts_with(r#"{"error":{"code":"too_large""#), "{reply}");
    assert_eq!(exchange(server.socket_addr(), b"[]\n"), "[5]\n");
}

#[test]
fn three_thousand_half_sent_requests_harm_nobody() {
    let server = start();
    let halves = ["{\"op\":\"add\",\"values\":[1,", "POST /array HTTP/1.1\r\nContent-Le", "["];
    let addresses = [server.socket_addr(), server.http_addr(), server.socket_addr()];
    let mut held: Vec<TcpStream> = Vec::new();
    for i in 0..3000 {
        let mut stream = connect(addresses[i % 3]);
        stream.write_all(halves[i % 3].as_bytes()).expect("the server reads");
        held.push(stream);
        if i % 500 == 0 {
            assert_unharmed(&server);
        }
    }
    assert_unharmed(&server);
    // The half requests can still be completed.
    held[0].write_all(b"2],\"reply\":\"array\"}\n").expect("the server reads");
    let mut lines = Lines::over(held.swap_remove(0));
    assert_eq!(lines.read(), r#"{"added":2,"count":2,"values":[1,2]}"#);
}

#[test]
fn a_request_that_is_never_completed_is_timed_out() {
    let server = start_with(Config { request_timeout: Duration::from_millis(100), ..config() });
    let mut socket = connect(server.socket_addr());
    socket.write_all(b"{\"op\":\"ping\"}\n[1,").expect("the server reads");
    let reply = read_to_end(socket);
    assert!(reply.starts_with("{\"pong\":true}\n{\"error\":{\"code\":\"timeout\""), "{reply}");
    for half in [
        "GET / HT",
        "POST /array HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n[1,",
        "POST /array HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,",
        "POST /array HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x",
    ] {
        let mut http = connect(server.http_addr());
        http.write_all(half.as_bytes()).expect("the server reads");
        let reply = read_to_end(http);
        assert!(reply.starts_with("HTTP/1.1 408 "), "{half}: {reply}");
    }
    assert_unharmed(&server);
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let server = start_with(Config { idle_timeout: Duration::from_millis(100), ..config() });
    assert_eq!(read_to_end(connect(server.socket_addr())), "");
    let mut lines = Lines::connect(&server);
    lines.ask("[]");
    assert_eq!(lines.read(), "");
    assert_eq!(read_to_end(connect(server.http_addr())), "");
}

#[test]
fn one_connection_too_many_is_told_so() {
    let server = start_with(Config { max_connections: 3, ..config() });
    let mut admitted: Vec<Lines> = (0..3).map(|_| Lines::connect(&server)).collect();
    for client in &mut admitted {
        assert_eq!(client.ask(r#"{"op":"ping"}"#), r#"{"pong":true}"#);
    }
    let reply = exchange(server.socket_addr(), b"[1]\n");
    assert!(reply.starts_with(r#"{"error":{"code":"too_many_connections""#), "{reply}");
    let reply = exchange(server.http_addr(), b"POST /array HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(reply.starts_with("HTTP/1.1 503 "), "{reply}");
    // More than are told so with care.
    let crowd: Vec<TcpStream> = (0..600).map(|_| connect(server.socket_addr())).collect();
    assert_eq!(admitted[0].ask("[]"), "[]", "nothing was added by those who were refused");
    drop(crowd);

    admitted.pop();
    // The server hears of the free place when it hears of the close.
    let served = (0..10_000).any(|_| exchange(server.socket_addr(), b"[7]\n") == "[7]\n");
    assert!(served, "a place that was given up is given again");
}

#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let server = start_with(Config { max_connections: 50, ..config() });
    let values: Vec<i64> = (0..200_000).collect();
    Lines::connect(&server).ask(&serde_json::json!({"op": "add", "values": values}).to_string());
    for _ in 0..10 {
        // Gone in the middle of a reply that is larger than all buffers.
        let mut clients: Vec<TcpStream> = (0..20).map(|_| connect(server.socket_addr())).collect();
        for client in &mut clients {
            client.write_all(b"[]\n").expect("the server reads");
        }
        for client in &mut clients {
            client.read_exact(&mut [0; 10]).expect("the reply begins");
        }
    }
    // All places are free again, or these would be refused for good.
    let served = |_| exchange(server.socket_addr(), b"{\"op\":\"ping\"}\n") == "{\"pong\":true}\n";
    assert!((0..10_000).any(served));
    assert_unharmed(&server);
}

#[test]
fn large_requests_by_the_dozen_are_done_or_refused_and_small_ones_are_served_meanwhile() {
    let server = start();
    let values: Vec<i64> = (0..5000).collect();
    let large = serde_json::json!({"op": "add", "values": values}).to_string() + "\n";
    let mut clients: Vec<Lines> = (0..100).map(|_| Lines::connect(&server)).collect();
    for client in &mut clients {
        client.send(&large);
    }
    let mut small = Client::connect(server.http_addr());
    for _ in 0..100 {
        assert_eq!(small.ask("POST", "/array?reply=count", "[-1]").status, 201);
    }
    let mut done = 0;
    for client in &mut clients {
        let reply = client.read();
        if reply.starts_with(r#"{"added":5000,"#) {
            done += 1;
        } else {
            assert!(reply.starts_with(r#"{"error":{"code":"busy""#), "{reply}");
        }
        assert_eq!(client.ask(r#"{"op":"ping"}"#), r#"{"pong":true}"#, "the connection goes on");
    }
    let expected = format!("{{\"removed\":{}}}\n", done * values.len() + 100);
    assert_eq!(small.ask("DELETE", "/array", "").body, expected);
}
