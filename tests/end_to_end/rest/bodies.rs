//! The forms in which values travel.

use super::*;

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
    let (as_lines, as_csv) = ("application/x-ndjson", "text/csv");
    let rows = [
        ("", as_json),
        ("Accept: */*\r\n", as_json),
        ("Accept: application/*\r\n", as_json),
        ("Accept: application/json, application/octet-stream\r\n", as_json),
        ("accept: application/json;q=0.5, application/octet-stream;q=0.6\r\n", as_octets),
        ("Accept: application/json;q=0.5\r\nAccept: application/octet-stream\r\n", as_octets),
        ("Accept: */*;q=0.1, application/json;q=0\r\n", as_lines),
        ("Accept: application/x-ndjson\r\n", as_lines),
        ("Accept: text/*\r\n", as_csv),
        ("Accept: text/html, text/csv;q=0.1\r\n", as_csv),
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

/// What a file of values looks like in each form: with the type, and for what it stands.
fn forms() -> [(&'static str, Vec<u8>); 4] {
    [
        ("application/json", b"[-9223372036854775808,3,3,9223372036854775807]\n".to_vec()),
        ("application/x-ndjson", b"-9223372036854775808\n3\n3\n9223372036854775807\n".to_vec()),
        ("text/csv", b"value\n-9223372036854775808\n3\n3\n9223372036854775807\n".to_vec()),
        ("application/octet-stream", octets([i64::MIN, 3, 3, i64::MAX])),
    ]
}

#[test]
fn values_travel_in_every_form_both_ways() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    for (sent_type, sent) in forms() {
        let content_type = format!("Content-Type: {sent_type}\r\n");
        let response = client.ask_with("POST", "/array", &content_type, &sent);
        let values = json!([i64::MIN, 3, 3, i64::MAX]);
        let expected = json!({"added": 4, "count": 4, "values": values});
        assert_eq!((response.status, json(&response.body)), (201, expected), "{sent_type}");
        for (wanted_type, expected) in forms() {
            let accept = format!("Accept: {wanted_type}\r\n");
            let response = client.ask_with("GET", "/array", &accept, b"");
            assert_eq!(response.status, 200);
            assert_eq!(response.header("content-type"), Some(wanted_type));
            let body = if response.octets.is_empty() {
                response.body.clone().into_bytes()
            } else {
                response.octets.clone()
            };
            assert_eq!(body, expected, "{sent_type} to {wanted_type}");
        }
        client.ask("DELETE", "/array", "");
    }
    let empty = [
        ("application/json", "[]\n"),
        ("application/x-ndjson", ""),
        ("text/csv", "value\n"),
        ("application/octet-stream", ""),
    ];
    for (wanted, expected) in empty {
        let response = client.ask_with("GET", "/array", &format!("Accept: {wanted}\r\n"), b"");
        assert_eq!((response.body.as_str(), response.octets), (expected, vec![]), "{wanted}");
    }
}

#[test]
fn lines_are_read_as_others_write_them() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let mut post = |content_type: &str, body: &str| {
        let content_type = format!("Content-Type: {content_type}\r\n");
        client.ask_with("POST", "/array", &content_type, body.as_bytes())
    };
    let taken = [
        ("application/x-ndjson", "2\n1", json!([1, 2])),
        ("application/x-ndjson; charset=utf-8", "2\r\n\r\n1\r\n", json!([1, 2])),
        ("text/csv", "2\n1\n", json!([1, 2])),
        ("text/csv; header=present", "value\r\n2\r\n1\r\n", json!([1, 2])),
        ("text/csv", "\"value\"\n\"2\"\n\"1\"\n", json!([1, 2])),
        ("text/csv", "value\n", json!([])),
        ("application/x-ndjson", "\n", json!([])),
    ];
    for (content_type, body, values) in taken {
        let response = post(content_type, body);
        assert_eq!(response.status, 201, "{content_type} {body:?}");
        assert_eq!(json(&response.body)["values"], values, "{content_type} {body:?}");
    }
    let count = json(&post("application/json", "[]").body)["count"].clone();
    let refused = [
        ("application/x-ndjson", "1\n2.5\n", 1),
        ("application/x-ndjson", "\n1\n\n[2]", 1),
        ("application/x-ndjson", "\"1\"", 0),
        ("text/csv", "value\n1\nvalue\n", 1),
        ("text/csv", "1,2\n", 0),
        ("text/csv", "other\n1\n", 0),
        ("text/csv", "1\n2\n9223372036854775808\n", 2),
    ];
    for (content_type, body, position) in refused {
        let response = post(content_type, body);
        assert_eq!(response.status, 400, "{content_type} {body:?}");
        let named = format!("position {position} ");
        assert!(response.body.contains(&named), "{content_type} {body:?}: {}", response.body);
    }
    assert_eq!(json(&post("application/json", "[]").body)["count"], count, "nothing has changed");
    for content_type in ["application/x-ndjson", "text/csv", "application/octet-stream"] {
        let random = json(&post(content_type, "").body);
        assert_eq!(random["added"], 1, "{content_type}");
    }
}

#[test]
fn integers_may_be_shown_as_strings() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let replies = [
        (
            "POST",
            "/array?numbers=string",
            r#"{"added":2,"count":2,"values":["-1","9007199254740993"]}"#,
        ),
        (
            "POST",
            "/array?reply=array&numbers=string",
            r#"{"added":2,"count":4,"values":["-1","-1","9007199254740993","9007199254740993"]}"#,
        ),
        ("GET", "/array?numbers=string&limit=1", r#"["-1"]"#),
        ("GET", "/array?numbers=number&limit=1", "[-1]"),
        ("GET", "/get_array?order=desc&limit=1&numbers=string", r#"["9007199254740993"]"#),
        ("GET", "/array/rank/5?numbers=string", r#"{"value":"5","rank":2,"equal":0}"#),
        ("GET", "/array/at/0?numbers=string", r#"{"index":0,"value":"-1"}"#),
        ("GET", "/array/min?numbers=string", r#"{"value":"-1"}"#),
        ("GET", "/array/max?numbers=string", r#"{"value":"9007199254740993"}"#),
        (
            "GET",
            "/array/quantiles?q=1,0&numbers=string",
            r#"{"count":4,"quantiles":[{"q":1,"value":"9007199254740993"},{"q":0,"value":"-1"}]}"#,
        ),
        (
            "GET",
            "/array/histogram?buckets=1&numbers=string",
            r#"{"count":4,"min":"-1","max":"9007199254740993","buckets":[{"from":"-1","to":"9007199254740993","count":4}]}"#,
        ),
        (
            "POST",
            "/array/pop?end=min&n=3&numbers=string",
            r#"{"values":["-1","-1","9007199254740993"]}"#,
        ),
        ("POST", "/array/pop?end=max&numbers=number", r#"{"values":[9007199254740993]}"#),
        ("GET", "/array/max?numbers=string", r#"{"value":null}"#),
    ];
    for (method, target, expected) in replies {
        let body = if target.starts_with("/array?") && method == "POST" {
            "[9007199254740993,-1]"
        } else {
            ""
        };
        let response = client.ask(method, target, body);
        assert_eq!(response.body, format!("{expected}\n"), "{method} {target}");
    }
    client.ask("POST", "/array", "[1,2]");
    let forms = [
        ("application/x-ndjson", "\"1\"\n\"2\"\n"),
        // These know no strings.
        ("text/csv", "value\n1\n2\n"),
    ];
    for (form, expected) in forms {
        let accept = format!("Accept: {form}\r\n");
        let response = client.ask_with("GET", "/array?numbers=string", &accept, b"");
        assert_eq!(response.body, expected, "{form}");
    }
}

#[test]
fn content_types() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let types = [
        ("application/json", 201),
        ("Application/JSON; charset=utf-8", 201),
        ("application/x-www-form-urlencoded", 201),
        ("application/x-ndjson", 201),
        ("TEXT/CSV;charset=utf-8", 201),
        ("text/plain", 415),
        ("application/jsonp", 415),
    ];
    for (content_type, status) in types {
        client.send(&format!(
            "POST /array HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: 1\r\n\r\n5"
        ));
        assert_eq!(client.read(false).status, status, "{content_type}");
    }
    let response = client.ask_with("POST", "/array", "Content-Type: text/plain\r\n", b"5");
    assert_eq!(response.status, 415);
    for (content_type, _) in forms() {
        assert!(response.body.contains(content_type), "{}", response.body);
    }
}
