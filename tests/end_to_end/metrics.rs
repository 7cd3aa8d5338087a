//! What the server counts, as `/metrics` shows it.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use crate::http_client::Client;
use crate::resp_client::Resp;
use crate::server::{Lines, config, start, start_with};

/// The samples of an exposition by their names and labels.
fn samples(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a sample has a value");
            (name, value.parse().expect("which is a number"))
        })
        .collect()
}

fn scrape(client: &mut Client) -> String {
    let response = client.ask("GET", "/metrics", "");
    assert_eq!(response.status, 200);
    let content_type = response.header("content-type");
    assert_eq!(content_type, Some("text/plain; version=0.0.4; charset=utf-8"));
    response.body
}

#[test]
fn what_has_been_done_is_counted_exactly() {
    let server = start();
    let mut lines = Lines::connect(&server);
    let mut client = Client::connect(server.http_addr());
    lines.ask("[5,3,9]");
    lines.ask(r#"{"op":"at","index":7}"#);
    lines.ask("[1,");
    lines.ask(r#"{"op":"pop_min"}"#);
    // Taken by a helper, which must parse it first.
    lines.ask(&format!("[{}1]", "1,".repeat(9999)));
    lines.ask(&format!("[{}1.5]", "1,".repeat(9999)));
    client.ask("POST", "/array", "[5,4]");
    client.ask("GET", "/array?limit=x", "");
    client.ask("GET", "/nothing", "");
    client.ask("GET", "/livez", "");
    client.ask("GET", "/readyz", "");
    client.ask("DELETE", "/array?value=5", "");
    client.ask("DELETE", "/array", "");
    client.ask("POST", "/array?reply=count", "[7,8]");
    let text = scrape(&mut client);
    let samples = samples(&text);
    let expected = [
        ("sortd_elements", 2.0),
        ("sortd_values_added_total", 10_007.0),
        ("sortd_values_removed_total", 10_005.0),
        ("sortd_clears_total", 1.0),
        ("sortd_store_tiers{kind=\"active\"}", 1.0),
        ("sortd_store_tiers{kind=\"sealed\"}", 0.0),
        ("sortd_connections{face=\"json\"}", 1.0),
        ("sortd_connections{face=\"http\"}", 1.0),
        ("sortd_connections{face=\"undecided\"}", 0.0),
        ("sortd_connections_accepted_total", 2.0),
        ("sortd_connections_refused_total", 0.0),
        ("sortd_request_duration_seconds_count{face=\"json\"}", 6.0),
        ("sortd_request_duration_seconds_bucket{face=\"json\",le=\"+Inf\"}", 6.0),
        ("sortd_request_duration_seconds_count{face=\"http\"}", 8.0),
    ];
    for (name, value) in expected {
        assert_eq!(samples.get(name), Some(&value), "{name} in\n{text}");
    }
    let requests = samples.iter().filter(|(name, _)| name.starts_with("sortd_requests_total"));
    let requests: Vec<(&str, f64)> = requests.map(|(name, value)| (*name, *value)).collect();
    let kind = |face, command, outcome, count| {
        let labels = format!("face=\"{face}\",command=\"{command}\",outcome=\"{outcome}\"");
        (format!("sortd_requests_total{{{labels}}}"), count)
    };
    let mut expected = [
        kind("json", "add", "ok", 2.0),
        kind("json", "at", "out_of_range", 1.0),
        kind("json", "none", "bad_json", 1.0),
        kind("json", "none", "bad_request", 1.0),
        kind("json", "pop", "ok", 1.0),
        kind("http", "add", "ok", 2.0),
        kind("http", "none", "bad_request", 1.0),
        kind("http", "none", "unknown_op", 1.0),
        kind("http", "none", "ok", 1.0),
        kind("http", "ready", "ok", 1.0),
        kind("http", "remove", "ok", 1.0),
        kind("http", "clear", "ok", 1.0),
    ];
    expected.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert!(requests.iter().copied().eq(expected.iter().map(|(n, v)| (n.as_str(), *v))), "{text}");
    assert!(samples["sortd_received_bytes_total{face=\"http\"}"] > 500.0);
    assert_eq!(samples["sortd_received_bytes_total{face=\"undecided\"}"], 0.0);
    assert!(samples["sortd_sent_bytes_total{face=\"json\"}"] > 20_000.0);
    assert!(samples["process_open_fds"] > 4.0);
}

#[test]
fn what_redis_clients_have_asked_for_is_counted_with_the_names_of_other_faces() {
    let server = start();
    let mut resp = Resp::connect(&server);
    let asked = ["ADD 5 3 9", "AT 0", "PING", "PING hi", "NOTHING", "ADD x", "CONFIG NOTHING"];
    for command in asked {
        resp.ask(command);
    }
    // Taken by a helper, which must parse it first.
    resp.ask(&format!("ADD{}", " 1".repeat(9999)));
    resp.ask(&format!("ADD{} x", " 1".repeat(9999)));
    let mut browser = Resp::connect(&server);
    browser.send(b"POST / HTTP/1.1\r\n");
    assert_eq!(browser.read(), "");
    let mut malformed = Resp::connect(&server);
    malformed.send(b"*1\r\n:1\r\n");
    assert!(malformed.read().starts_with("-ERR Protocol error"));
    let text = scrape(&mut Client::connect(server.http_addr()));
    let samples = samples(&text);
    let of_resp = |(name, value): (&&str, &f64)| {
        let labels = name.strip_prefix("sortd_requests_total{face=\"resp\",command=")?;
        Some((labels.trim_end_matches('}').to_owned(), *value))
    };
    let requests: Vec<(String, f64)> = samples.iter().filter_map(of_resp).collect();
    let kind = |command, outcome, count| (format!("\"{command}\",outcome=\"{outcome}\""), count);
    let expected = [
        kind("add", "ok", 2.0),
        kind("at", "ok", 1.0),
        kind("none", "bad_request", 4.0),
        kind("none", "ok", 1.0),
        kind("none", "unknown_op", 2.0),
        kind("ping", "ok", 1.0),
    ];
    assert_eq!(requests, expected, "{text}");
    assert_eq!(samples["sortd_values_added_total"], 10_002.0);
    assert!(samples["sortd_received_bytes_total{face=\"resp\"}"] > 50_000.0);
    assert!(samples["sortd_sent_bytes_total{face=\"resp\"}"] > 100.0);
}

#[test]
fn connections_that_are_gone_or_refused_are_counted_as_such() {
    let server = start_with(sortd::Config { max_connections: 2, ..config() });
    let mut client = Client::connect(server.http_addr());
    let mut lines = Lines::connect(&server);
    assert_eq!(lines.ask(r#"{"op":"ping"}"#), r#"{"pong":true}"#);
    let mut refused = Lines::connect(&server);
    assert!(refused.read().contains("too_many_connections"));
    let text = scrape(&mut client);
    assert!(text.contains("\nsortd_connections_accepted_total 2\n"), "{text}");
    assert!(text.contains("\nsortd_connections_refused_total 1\n"), "{text}");
    drop((lines, refused));
    // The server hears of it in its own time.
    while !scrape(&mut client).contains("\nsortd_connections{face=\"json\"} 0\n") {
        std::thread::yield_now();
    }
}

#[test]
fn a_head_has_no_body() {
    let server = start();
    let response = Client::connect(server.http_addr()).ask("HEAD", "/metrics", "");
    assert_eq!((response.status, response.body.as_str()), (200, ""));
}

#[test]
fn promtool_has_nothing_to_say() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    client.ask("POST", "/array", "[5,3]");
    client.ask("GET", "/array/at/9", "");
    let text = scrape(&mut client);
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = match promtool {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("skipped: there is no promtool here (it is in Debian's package prometheus)");
            return;
        }
        promtool => promtool.expect("promtool can be started"),
    };
    let mut input = promtool.stdin.take().expect("it is piped");
    input.write_all(text.as_bytes()).expect("promtool reads");
    drop(input);
    let output = promtool.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
}
