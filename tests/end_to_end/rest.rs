//! REST over a real socket.

use serde_json::{Value, json};

use crate::http_client::{Client, request};
use crate::server::{Lines, config, connect, exchange, read_to_end, start, start_with};

fn json(text: &str) -> Value {
    assert!(text.ends_with('\n'), "a reply ends in a newline: {text:?}");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_route() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let conversation = [
        ("GET", "/array", "", 200, json!([])),
        ("POST", "/array", "[5,3]", 201, json!({"added": 2, "count": 2, "values": [3, 5]})),
        ("POST", "/array", " 4 ", 201, json!({"added": 1, "count": 3, "values": [4]})),
        (
            "POST",
            "/array?reply=array",
            r#"{"values":[9,-9]}"#,
            201,
            json!({"added": 2, "count": 5, "values": [-9, 3, 4, 5, 9]}),
        ),
        ("POST", "/array?reply=count", "[4]", 201, json!({"added": 1, "count": 6})),
        ("POST", "/array?reply=batch", "[]", 201, json!({"added": 0, "count": 6, "values": []})),
        ("GET", "/array", "", 200, json!([-9, 3, 4, 4, 5, 9])),
        ("GET", "/get_array", "", 200, json!([-9, 3, 4, 4, 5, 9])),
        ("GET", "/array/count", "", 200, json!({"count": 6})),
        ("DELETE", "/array", "", 200, json!({"removed": 6})),
        ("DELETE", "/clean_array", "", 200, json!({"removed": 0})),
    ];
    for (method, target, body, status, expected) in conversation {
        let response = client.ask(method, target, body);
        assert_eq!(
            (response.status, json(&response.body)),
            (status, expected),
            "{method} {target}"
        );
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert!(httpdate::parse_http_date(response.header("date").expect("a date")).is_ok());
    }
    for target in ["/livez", "/readyz"] {
        let response = client.ask("GET", target, "");
        assert_eq!((response.status, response.body.as_str()), (200, "ok\n"), "{target}");
    }
    assert!(client.ask("GET", "/", "").body.contains("DELETE  /array"));
}

#[test]
fn parts_of_the_array() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    client.ask("POST", "/array", "[5,3,9,3,-2,9223372036854775807,-9223372036854775808]");
    let conversation = [
        ("?min=3", json!([3, 3, 5, 9, i64::MAX])),
        ("?max=3", json!([i64::MIN, -2, 3, 3])),
        ("?min=3&max=5", json!([3, 3, 5])),
        ("?min=5&max=3", json!([])),
        ("?limit=2", json!([i64::MIN, -2])),
        ("?limit=0", json!([])),
        ("?offset=6", json!([i64::MAX])),
        ("?offset=7", json!([])),
        ("?offset=9223372036854775807&limit=9223372036854775807", json!([])),
        ("?order=desc&limit=3", json!([i64::MAX, 9, 5])),
        ("?order=asc&limit=1", json!([i64::MIN])),
        ("?limit=2&offset=1&max=9&min=3&order=desc", json!([5, 3])),
        ("?", json!([i64::MIN, -2, 3, 3, 5, 9, i64::MAX])),
    ];
    for (query, expected) in conversation {
        for path in ["/array", "/get_array"] {
            let response = client.ask("GET", &format!("{path}{query}"), "");
            assert_eq!((response.status, json(&response.body)), (200, expected.clone()), "{query}");
        }
    }
    for (query, count) in [("", 7), ("?min=3", 5), ("?max=3&min=-2", 3), ("?min=5&max=3", 0)] {
        let response = client.ask("GET", &format!("/array/count{query}"), "");
        assert_eq!(json(&response.body), json!({ "count": count }), "{query}");
    }
}

/// The header field that asks for octets, and the one that announces them.
const WANTS_OCTETS: &str = "Accept: application/octet-stream\r\n";
const SENDS_OCTETS: &str = "Content-Type: application/octet-stream\r\n";

fn octets(values: impl IntoIterator<Item = i64>) -> Vec<u8> {
    values.into_iter().flat_map(i64::to_le_bytes).collect()
}

#[test]
fn values_travel_as_octets_both_ways() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    // The bytes of the first are white space in JSON.
    let values = [0x2020_2020_0a0a_2020, -1, i64::MIN, i64::MAX, 0];
    let response = client.ask_with("POST", "/array", SENDS_OCTETS, &octets(values));
    let mut sorted = values;
    sorted.sort_unstable();
    let expected = json!({"added": 5, "count": 5, "values": sorted});
    assert_eq!((response.status, json(&response.body)), (201, expected));

    let response = client.ask_with("GET", "/array", WANTS_OCTETS, b"");
    assert_eq!((response.status, &response.octets), (200, &octets(sorted)));
    assert_eq!(response.header("content-type"), Some("application/octet-stream"));
    assert_eq!(response.header("content-length"), Some("40"));
    let part = "/get_array?min=-1&max=0&order=desc&offset=1&limit=9";
    let response = client.ask_with("GET", part, WANTS_OCTETS, b"");
    assert_eq!((response.status, &response.octets), (200, &octets([-1])));
    assert_eq!(response.header("content-length"), Some("8"));
    let head = client.ask_with("HEAD", part, WANTS_OCTETS, b"");
    assert_eq!((head.status, head.header("content-length")), (200, Some("8")));

    for cut in [&[0][..], &[0; 7], &[0; 9]] {
        let response = client.ask_with("POST", "/array", SENDS_OCTETS, cut);
        assert_eq!(response.status, 400);
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
    }
    assert_eq!(client.ask("GET", "/array/count", "").body, "{\"count\":5}\n");
    let response = client.ask_with("POST", "/array", SENDS_OCTETS, b"");
    let random = json(&response.body)["values"][0].as_i64().expect("one value is added");
    assert!((1000..=10_000).contains(&random), "{random}");

    let response = client.ask_with("POST", "/array", "Content-Type: text/plain\r\n", b"5");
    assert_eq!(response.status, 415);
    assert!(response.body.contains("application/json or application/octet-stream"));
}

#[test]
fn many_octets_come_whole() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let target = "/array?reply=count";
    let response = client.ask_with("POST", target, SENDS_OCTETS, &octets((0..300_000).rev()));
    assert_eq!(response.body, "{\"added\":300000,\"count\":300000}\n");
    let response = client.ask_with("GET", "/array", WANTS_OCTETS, b"");
    assert!(response.octets == octets(0..300_000), "the whole array, sorted");
    assert_eq!(client.ask("GET", "/livez", "").body, "ok\n", "the connection goes on");
}

#[test]
fn the_client_chooses_how_it_gets_the_array() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    client.ask("POST", "/array", "[3,1,2]");
    let (as_json, as_octets) = ("application/json", "application/octet-stream");
    let rows = [
        ("", as_json),
        ("Accept: */*\r\n", as_json),
        ("Accept: application/*\r\n", as_json),
        ("Accept: application/json, application/octet-stream\r\n", as_json),
        ("accept: application/json;q=0.5, application/octet-stream;q=0.6\r\n", as_octets),
        ("Accept: application/json;q=0.5\r\nAccept: application/octet-stream\r\n", as_octets),
        ("Accept: */*;q=0.1, application/json;q=0\r\n", as_octets),
    ];
    for (accept, chosen) in rows {
        let response = client.ask_with("GET", "/array?min=2&limit=1", accept, b"");
        assert_eq!(response.header("content-type"), Some(chosen), "{accept}");
        assert_eq!(response.header("vary"), Some("Accept"), "{accept}");
        assert_eq!(response.header("sortd-count"), Some("2"), "{accept}");
        let head = client.ask_with("HEAD", "/array?min=2&limit=1", accept, b"");
        assert_eq!(head.header("content-type"), Some(chosen), "{accept}");
        assert_eq!(head.header("sortd-count"), Some("2"), "{accept}");
    }
    for accept in ["text/html", "application/json;q=0", "*/*;q=0", "image/*"] {
        let response = client.ask_with("GET", "/array", &format!("Accept: {accept}\r\n"), b"");
        assert_eq!(response.status, 406, "{accept}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"), "{accept}");
        assert_eq!(response.header("vary"), Some("Accept"), "{accept}");
        assert!(json(&response.body)["title"] == "Not Acceptable", "{accept}");
    }
    // A refusal is told in its own form whatever is wanted; other answers have but one.
    let response = client.ask_with("GET", "/array?limit=x", WANTS_OCTETS, b"");
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    let response = client.ask_with("GET", "/array/count", WANTS_OCTETS, b"");
    assert_eq!(response.body, "{\"count\":3}\n");
}

#[test]
fn stats_are_the_same_on_both_faces() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let mut lines = Lines::connect(&server);
    assert_eq!(client.ask("POST", "/array", "[5,3]").status, 201);
    lines.ask("[4]");
    // None of these counts as a request.
    for (method, target) in [("GET", "/livez"), ("GET", "/readyz"), ("GET", "/"), ("PUT", "/array")]
    {
        client.ask(method, target, "");
    }
    let response = client.ask("GET", "/stats", "");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    let mut ours = json(&response.body);
    assert_eq!((&ours["requests"], &ours["connections"]), (&json!(3), &json!(2)), "{ours}");
    assert_eq!((&ours["count"], &ours["values_added"]), (&json!(3), &json!(3)), "{ours}");
    let mut theirs: Value = serde_json::from_str(&lines.ask(r#"{"op":"stats"}"#)).expect("JSON");
    assert_eq!(theirs["requests"], 4);
    for stats in [&mut ours, &mut theirs] {
        for field in ["requests", "uptime_seconds", "memory_bytes"] {
            assert!(stats[field].take().is_u64(), "{field}");
        }
    }
    assert_eq!(ours, theirs);
    assert_eq!(client.ask("DELETE", "/stats", "").header("allow"), Some("GET, HEAD"));
    assert_eq!(client.ask("GET", "/stats?all", "").status, 400);
}

#[test]
fn a_parameter_that_is_refused_is_named() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let refused = [
        ("/array?min=1.5", "min"),
        ("/array?max=", "max"),
        ("/array?max=9223372036854775808", "max"),
        ("/array?min=%205", "min"),
        ("/array?offset=-1", "offset"),
        ("/array?limit=-1", "limit"),
        ("/array?limit=many", "limit"),
        ("/array?order=up", "order"),
        ("/array?min=1&min=1", "min"),
        ("/array?colour=red", "colour"),
        ("/get_array?reply=count", "reply"),
        ("/array/count?limit=1", "limit"),
        ("/array/count?min=x", "min"),
    ];
    for (target, name) in refused {
        let response = client.ask("GET", target, "");
        assert_eq!(response.status, 400, "{target}");
        let problem = json(&response.body);
        let detail = problem["detail"].as_str().expect("there is a reason");
        assert!(detail.contains(&format!("{name:?}")), "{target}: {detail}");
    }
}

#[test]
fn a_post_without_a_body_adds_a_random_value() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    for (n, target) in ["/array", "/add_value", "/add_value"].iter().enumerate() {
        let response = client.ask("POST", target, "");
        let reply = json(&response.body);
        let value = reply["values"][0].as_i64().expect("it shows the value");
        assert!((1000..=10_000).contains(&value), "{value}");
        assert_eq!(
            (response.status, &reply["added"], &reply["count"]),
            (201, &json!(1), &json!(n + 1))
        );
    }
    let all = json(&client.ask("GET", "/array", "").body);
    assert_eq!(all.as_array().map(Vec::len), Some(3));
}

#[test]
fn both_faces_share_one_array() {
    let server = start();
    let mut lines = Lines::connect(&server);
    let mut client = Client::connect(server.http_addr());
    client.ask("POST", "/array", "[2,1]");
    assert_eq!(lines.ask("[3]"), "[1,2,3]");
    assert_eq!(client.ask("DELETE", "/array", "").body, "{\"removed\":3}\n");
    assert_eq!(lines.ask(r#"{"op":"count"}"#), r#"{"count":0}"#);
}

#[test]
fn refusals_are_problem_documents_and_change_nothing() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let refused = [
        ("GET", "/nothing", "", 404),
        ("GET", "/array/", "", 404),
        ("GET", "/array?x=1", "", 400),
        ("GET", "/livez?x", "", 400),
        ("DELETE", "/array?value=", "", 400),
        ("DELETE", "/array?reply=count", "", 400),
        ("POST", "/array?reply=all", "[1]", 400),
        ("POST", "/array?reply=count&reply=count", "[1]", 400),
        ("POST", "/array", "[1,2.5]", 400),
        ("POST", "/array", "2.5", 400),
        ("POST", "/array", "{\"value\":[1]}", 400),
        ("POST", "/array", "[1", 400),
        ("POST", "/array", "x", 400),
        ("PUT", "/array", "[1]", 405),
        ("OPTIONS", "/array", "", 405),
        ("POST", "/", "", 405),
    ];
    for (method, target, body, status) in refused {
        let response = client.ask(method, target, body);
        assert_eq!(response.status, status, "{method} {target} {body}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        let problem = json(&response.body);
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        assert_eq!(client.ask("GET", "/array/count", "").body, "{\"count\":0}\n");
    }
}

#[test]
fn an_add_past_the_cap_is_refused_whole() {
    let server = start_with(sortd::Config { max_values: 5, ..config() });
    let mut client = Client::connect(server.http_addr());
    assert_eq!(client.ask("POST", "/array", "[1,2,3]").status, 201);
    let response = client.ask("POST", "/array", "[4,5,6]");
    assert_eq!(response.status, 507);
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    assert_eq!(json(&response.body)["title"], "Insufficient Storage");
    assert_eq!(client.ask("POST", "/array", "[4,5]").status, 201, "the connection goes on");
    assert_eq!(client.ask("POST", "/add_value", "").status, 507, "a random one, too");
    assert_eq!(client.ask("GET", "/array", "").body, "[1,2,3,4,5]\n");
    let stats = json(&client.ask("GET", "/stats", "").body);
    assert_eq!((&stats["values_added"], &stats["requests"]), (&json!(5), &json!(6)), "{stats}");
    assert_eq!(client.ask("DELETE", "/array", "").body, "{\"removed\":5}\n");
    assert_eq!(client.ask("POST", "/array", "[1,2,3,4,5]").status, 201);
}

#[test]
fn methods_that_are_not_allowed_name_those_that_are() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let allowed = [
        ("/array", "GET, HEAD, POST, DELETE"),
        ("/array/count", "GET, HEAD"),
        ("/get_array", "GET, HEAD"),
        ("/add_value", "POST"),
        ("/clean_array", "DELETE"),
        ("/livez", "GET, HEAD"),
    ];
    for (target, methods) in allowed {
        assert_eq!(client.ask("PATCH", target, "").header("allow"), Some(methods), "{target}");
    }
    assert_eq!(client.ask("GET", "/add_value", "").status, 405);
    assert_eq!(client.ask("GET", "/clean_array", "").status, 405);
}

#[test]
fn content_types() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let types = [
        ("application/json", 201),
        ("Application/JSON; charset=utf-8", 201),
        ("application/x-www-form-urlencoded", 201),
        ("text/plain", 415),
        ("application/jsonp", 415),
    ];
    for (content_type, status) in types {
        client.send(&format!(
            "POST /array HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: 1\r\n\r\n5"
        ));
        assert_eq!(client.read(false).status, status, "{content_type}");
    }
}

#[test]
fn head_answers_as_get_without_the_body() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    client.ask("POST", "/array", "[1,2,3]");
    for target in ["/array", "/array/count", "/", "/livez", "/nothing", "/add_value"] {
        let (head, get) = (client.ask("HEAD", target, ""), client.ask("GET", target, ""));
        assert_eq!(head.status, get.status, "{target}");
        for name in ["content-type", "content-length", "allow"] {
            assert_eq!(head.header(name), get.header(name), "{target}");
        }
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let n = 500;
    let requests: String = (0..n)
        .map(|i| {
            request("POST", "/array?reply=count", &i.to_string())
                + &request("GET", "/array/count", "")
        })
        .collect();
    client.send(&requests);
    for i in 1..=n {
        assert_eq!(client.read(false).body, format!("{{\"added\":1,\"count\":{i}}}\n"));
        assert_eq!(client.read(false).body, format!("{{\"count\":{i}}}\n"));
    }
}

#[test]
fn connections_are_kept_as_the_client_wishes() {
    let server = start();
    for (version, connection, kept) in [
        ("1.1", "", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: foo, Close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
    ] {
        let mut client = Client::connect(server.http_addr());
        let head = format!("GET /array/count HTTP/{version}\r\nHost: x\r\n{connection}\r\n");
        client.send(&head);
        let response = client.read(false);
        assert_eq!(response.status, 200, "{head}");
        if kept {
            assert_ne!(response.header("connection"), Some("close"), "{head}");
            assert_eq!(client.ask("GET", "/livez", "").body, "ok\n", "{head}");
        } else {
            assert_eq!(response.header("connection"), Some("close"), "{head}");
            assert!(client.is_closed(), "{head}");
        }
    }
}

#[test]
fn http_1_0_gets_no_chunks() {
    let server = start();
    Client::connect(server.http_addr()).ask("POST", "/array", "[2,1]");
    let reply = exchange(server.http_addr(), b"GET /array HTTP/1.0\r\n\r\n");
    let (head, body) = reply.split_once("\r\n\r\n").expect("there is a head");
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
    assert_eq!(body, "[1,2]\n");
}

#[test]
fn bytes_may_come_one_by_one() {
    use std::io::Write;
    let server = start();
    let mut stream = connect(server.http_addr());
    stream.set_nodelay(true).expect("the connection stands");
    let bytes =
        "POST /array HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\n[2,1]";
    for byte in bytes.as_bytes() {
        stream.write_all(&[*byte]).expect("the server reads");
    }
    let reply = read_to_end(stream);
    assert!(reply.starts_with("HTTP/1.1 201 Created\r\n"), "{reply}");
    assert!(reply.contains(r#"{"added":2,"count":2,"values":[1,2]}"#), "{reply}");
}

const CHUNKED: &str = "POST /array HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n";

#[test]
fn a_body_in_chunks_is_a_body_and_what_follows_is_the_next_request() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let chunks = "1\r\n[\r\n00003;name=\"value\"\r\n5,3\r\n1\r\n]\r\n0\r\nDigest: none\r\n\r\n";
    let nothing = "0\r\n\r\n";
    let next = request("GET", "/array/count", "");
    client.send(&format!("{CHUNKED}\r\n{chunks}{next}{CHUNKED}\r\n{nothing}{next}"));
    assert_eq!(client.read(false).body, "{\"added\":2,\"count\":2,\"values\":[3,5]}\n");
    assert_eq!(client.read(false).body, "{\"count\":2}\n");
    let random = client.read(false);
    assert_eq!((random.status, &json(&random.body)["added"]), (201, &json!(1)), "an empty body");
    assert_eq!(client.read(false).body, "{\"count\":3}\n");
}

#[test]
fn a_large_body_in_chunks_comes_whole() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let values: Vec<i64> = (0..300_000).rev().collect();
    let body = json!(values).to_string();
    client
        .send("POST /array?reply=count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for chunk in body.as_bytes().chunks(9999) {
        let chunk = std::str::from_utf8(chunk).expect("it is ASCII");
        client.send(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.read(false).body, "{\"added\":300000,\"count\":300000}\n");
}

#[test]
fn a_client_may_wait_for_leave_to_send_its_body() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let length = "POST /array HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n";
    let rounds = [(length, "[2,1]"), (CHUNKED, "5\r\n[2,1]\r\n0\r\n\r\n")];
    for (n, (head, body)) in rounds.into_iter().enumerate() {
        client.send(&format!("{}{head}Expect: 100-continue\r\n\r\n", request("GET", "/array", "")));
        assert_eq!(client.read(false).status, 200, "earlier answers come first");
        let leave = client.read(true);
        assert_eq!((leave.status, leave.headers), (100, vec![]));
        client.send(body);
        let count = 2 * (n + 1);
        let expected = format!("{{\"added\":2,\"count\":{count},\"values\":[1,2]}}\n");
        assert_eq!(client.read(false).body, expected);
    }
    // HTTP/1.0 knows nothing of it.
    let head = "POST /array HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
    let reply = exchange(server.http_addr(), format!("{head}5").as_bytes());
    assert!(reply.starts_with("HTTP/1.1 201 "), "{reply}");
}

#[test]
fn a_large_body_and_a_large_answer_come_whole() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let values: Vec<i64> = (0..300_000).rev().collect();
    let response = client.ask("POST", "/array?reply=count", &json!(values).to_string());
    assert_eq!(response.body, "{\"added\":300000,\"count\":300000}\n");
    let sorted: Vec<i64> = (0..300_000).collect();
    let all = client.ask("GET", "/array", "").body;
    assert!(json(&all) == json!(sorted), "the whole array, sorted");
}
