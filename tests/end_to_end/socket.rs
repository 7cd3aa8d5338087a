//! JSON lines over a real socket.

use std::io::{Read, Write};

use serde_json::{Value, json};

use crate::server::{Lines, config, connect, exchange, start, start_with};

#[test]
fn the_classic_exchange() {
    let server = start();
    let address = server.socket_addr();
    assert_eq!(exchange(address, b"[5,3,9]\n"), "[3,5,9]\n");
    assert_eq!(exchange(address, b"[4,4]"), "[3,4,4,5,9]\n", "no line end before the half-close");
    assert_eq!(exchange(address, b"[]\r\n\r\n \n[1]\n"), "[3,4,4,5,9]\n[1,3,4,4,5,9]\n");
    assert_eq!(exchange(address, b""), "");
}

#[test]
fn every_operation() {
    let server = start();
    let mut client = Lines::connect(&server);
    let conversation = [
        (r#"{"op":"count"}"#, r#"{"count":0}"#),
        (r#"{"op":"array"}"#, r#"{"count":0,"values":[]}"#),
        (r#"{"op":"add","values":[5,3]}"#, r#"{"added":2,"count":2}"#),
        (r#"{"values":[4],"reply":"count","op":"add"}"#, r#"{"added":1,"count":3}"#),
        (
            r#"{"op":"add","values":[9,-9],"reply":"batch"}"#,
            r#"{"added":2,"count":5,"values":[-9,9]}"#,
        ),
        (
            r#"{"op":"add","values":[4],"reply":"array"}"#,
            r#"{"added":1,"count":6,"values":[-9,3,4,4,5,9]}"#,
        ),
        (r#"{"op":"array"}"#, r#"{"count":6,"values":[-9,3,4,4,5,9]}"#),
        (r#"{"op":"clear"}"#, r#"{"removed":6}"#),
        (r#"{"op":"clear"}"#, r#"{"removed":0}"#),
        (r#"{"op":"ping"}"#, r#"{"pong":true}"#),
        (
            "[9223372036854775807,-9223372036854775808]",
            "[-9223372036854775808,9223372036854775807]",
        ),
    ];
    for (request, reply) in conversation {
        assert_eq!(client.ask(request), reply, "{request}");
    }
}

#[test]
fn parts_of_the_array() {
    let server = start();
    let mut client = Lines::connect(&server);
    client.ask("[5,3,9,3,-2,9223372036854775807,-9223372036854775808]");
    let conversation = [
        (r#""min":3"#, "5", "[3,3,5,9,9223372036854775807]"),
        (r#""max":3"#, "4", "[-9223372036854775808,-2,3,3]"),
        (r#""min":3,"max":5"#, "3", "[3,3,5]"),
        (r#""min":-9223372036854775808,"max":-9223372036854775808"#, "1", "[-9223372036854775808]"),
        (r#""min":5,"max":3"#, "0", "[]"),
        (r#""limit":2"#, "7", "[-9223372036854775808,-2]"),
        (r#""limit":0"#, "7", "[]"),
        (r#""offset":6"#, "7", "[9223372036854775807]"),
        (r#""offset":7"#, "7", "[]"),
        (r#""offset":9223372036854775807,"limit":9223372036854775807"#, "7", "[]"),
        (r#""order":"desc","limit":3"#, "7", "[9223372036854775807,9,5]"),
        (r#""order":"\u0061sc","limit":1"#, "7", "[-9223372036854775808]"),
        (r#""limit":2,"offset":1,"max":9,"min":3,"order":"desc""#, "4", "[5,3]"),
    ];
    for (fields, count, values) in conversation {
        let reply = client.ask(&format!(r#"{{"op":"array",{fields}}}"#));
        assert_eq!(reply, format!(r#"{{"count":{count},"values":{values}}}"#), "{fields}");
    }
    for (fields, count) in
        [(r#""min":3"#, 5), (r#""max":3,"min":-2"#, 3), (r#""min":5,"max":3"#, 0)]
    {
        let reply = client.ask(&format!(r#"{{"op":"count",{fields}}}"#));
        assert_eq!(reply, format!(r#"{{"count":{count}}}"#), "{fields}");
    }
}

#[test]
fn stats_tell_what_has_happened() {
    let server = start();
    let mut client = Lines::connect(&server);
    let stats = |client: &mut Lines| -> Value {
        serde_json::from_str(&client.ask(r#"{"op":"stats"}"#)).expect("stats are JSON")
    };
    let first = stats(&mut client);
    let counts = [
        ("epoch", 0),
        ("count", 0),
        ("connections", 1),
        ("requests", 1),
        ("values_added", 0),
        ("values_removed", 0),
    ];
    for (field, n) in counts {
        assert_eq!(first[field], n, "{field}: {first}");
    }
    assert_eq!(first["version"], env!("CARGO_PKG_VERSION"));
    assert!(first["uptime_seconds"].as_u64() < Some(60), "{first}");
    // Any system may keep quiet about it; Linux does not.
    assert!(
        first["memory_bytes"].as_u64() > Some(100_000) || !cfg!(target_os = "linux"),
        "{first}"
    );

    let mut others: Vec<Lines> = (0..5).map(|_| Lines::connect(&server)).collect();
    for other in &mut others {
        other.ask("[1,2]");
        other.ask("no request");
    }
    client.ask(r#"{"op":"clear"}"#);
    client.ask("[7,8,9]");
    let then = stats(&mut client);
    let counts = [
        ("epoch", 1),
        ("count", 3),
        ("connections", 6),
        ("requests", 9),
        ("values_added", 13),
        ("values_removed", 10),
    ];
    for (field, n) in counts {
        assert_eq!(then[field], n, "{field}: {then}");
    }
    // Whether they have been moved on by now depends on when they were added.
    let tiers = then["store"]["tiers"].as_array().expect("a list");
    let entries: u64 = tiers.iter().filter_map(|tier| tier["entries"].as_u64()).sum();
    assert_eq!(entries, 3, "{then}");
    let kinds =
        tiers.iter().all(|t| ["active", "sealed", "run"].map(|k| json!(k)).contains(&t["kind"]));
    assert!(kinds, "{then}");

    drop(others);
    // The server hears of it when it does.
    assert!((0..10_000).any(|_| stats(&mut client)["connections"] == 1));
}

#[test]
fn a_field_that_is_refused_is_named() {
    let server = start();
    let mut client = Lines::connect(&server);
    let refused = [
        (r#""op":"array","min":1.5"#, "min"),
        (r#""op":"array","max":"9""#, "max"),
        (r#""op":"array","max":9223372036854775808"#, "max"),
        (r#""op":"array","min":null"#, "min"),
        (r#""op":"array","offset":-1"#, "offset"),
        (r#""op":"array","limit":-1"#, "limit"),
        (r#""op":"array","limit":[1]"#, "limit"),
        (r#""op":"array","limit":99999999999999999999"#, "limit"),
        (r#""op":"array","order":"up""#, "order"),
        (r#""op":"array","order":1"#, "order"),
        (r#""op":"array","min":1,"min":1"#, "min"),
        (r#""op":"array","colour":"red""#, "colour"),
        (r#""op":"count","limit":1"#, "limit"),
        (r#""op":"count","min":true"#, "min"),
        (r#""op":"clear","min":1"#, "min"),
        (r#""op":"stats","values":[]"#, "values"),
        (r#""op":{}"#, "op"),
    ];
    for (fields, name) in refused {
        let reply = client.ask(&format!("{{{fields}}}"));
        assert!(reply.starts_with(r#"{"error":{"code":"bad_request""#), "{fields}: {reply}");
        assert!(reply.contains(&format!(r#"\"{name}\""#)), "{fields}: {reply}");
    }
    let many: String = (0..100).map(|i| format!(r#","f{i}":{i}"#)).collect();
    let reply = client.ask(&format!(r#"{{"op":"ping"{many}}}"#));
    assert!(reply.starts_with(r#"{"error":{"code":"bad_request""#), "{reply}");
}

#[test]
fn a_refusal_changes_nothing_and_the_connection_goes_on() {
    let server = start();
    let mut client = Lines::connect(&server);
    let refused = [
        ("[1,", "bad_json"),
        ("{]", "bad_json"),
        ("[1]]", "bad_json"),
        ("[1,2.5]", "bad_request"),
        ("[1,\"2\"]", "bad_request"),
        ("[9223372036854775808]", "bad_request"),
        ("7", "bad_request"),
        (r#"{"values":[1]}"#, "bad_request"),
        (r#"{"op":"add"}"#, "bad_request"),
        (r#"{"op":"add","values":[1],"reply":"all"}"#, "bad_request"),
        (r#"{"op":"add","values":[1],"values":[2]}"#, "bad_request"),
        (r#"{"op":"add","values":[1],"colour":"red"}"#, "bad_request"),
        (r#"{"op":"count","values":[1]}"#, "bad_request"),
        (r#"{"op":"frobnicate"}"#, "unknown_op"),
    ];
    for (request, code) in refused {
        let reply = client.ask(request);
        let expected = format!(r#"{{"error":{{"code":"{code}","message":""#);
        assert!(reply.starts_with(&expected), "{request}: {reply}");
        assert_eq!(client.ask(r#"{"op":"count"}"#), r#"{"count":0}"#, "after {request}");
    }
    let reply = client.ask("[1,2,null]");
    assert!(reply.contains("position 2"), "{reply}");
}

#[test]
fn an_add_past_the_cap_is_refused_whole() {
    let server = start_with(sortd::Config { max_values: 5, ..config() });
    let mut client = Lines::connect(&server);
    let full = r#"{"error":{"code":"full","message":""#;
    assert!(client.ask("[1,2,3,4,5,6]").starts_with(full));
    assert_eq!(client.ask("[1,2,3]"), "[1,2,3]");
    // The other loop's connection shares the cap.
    let mut other = Lines::connect(&server);
    let refused = other.ask(r#"{"op":"add","values":[4,5,6]}"#);
    assert!(refused.starts_with(full), "{refused}");
    assert_eq!(other.ask("[4,5]"), "[1,2,3,4,5]", "the connection goes on");
    assert!(client.ask("[6]").starts_with(full));
    assert_eq!(client.ask(r#"{"op":"clear"}"#), r#"{"removed":5}"#);
    assert_eq!(other.ask("[9,8,7,6,5]"), "[5,6,7,8,9]");
}

#[test]
fn a_first_byte_of_no_dialect_gets_one_line() {
    let server = start();
    for greeting in ["5\n", "\"x\"\n", "\u{16}\u{3}\u{1}", "GET / HTTP/1.1\r\n\r\n"] {
        let reply = exchange(server.socket_addr(), greeting.as_bytes());
        assert!(reply.starts_with(r#"{"error":{"code":"bad_json""#), "{reply}");
        assert_eq!(reply.matches('\n').count(), 1, "{reply}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = start();
    let n = 5000;
    let requests: String =
        (0..n).map(|i| format!("{{\"op\":\"add\",\"values\":[{i}]}}\n")).collect();
    let replies: String = (1..=n).map(|i| format!("{{\"added\":1,\"count\":{i}}}\n")).collect();
    assert_eq!(exchange(server.socket_addr(), requests.as_bytes()), replies);
}

#[test]
fn bytes_may_come_one_by_one() {
    let server = start();
    let mut client = connect(server.socket_addr());
    client.set_nodelay(true).expect("the connection stands");
    for byte in b"{\"op\":\"add\",\"values\":[2,1],\"reply\":\"array\"}\n[0]\n" {
        client.write_all(&[*byte]).expect("the server reads");
    }
    let mut lines = Lines::over(client);
    assert_eq!(lines.read(), r#"{"added":2,"count":2,"values":[1,2]}"#);
    assert_eq!(lines.read(), "[0,1,2]");
}

#[test]
fn a_large_array_streams_to_a_slow_reader_while_others_are_served() {
    let server = start();
    let mut client = Lines::connect(&server);
    // More than the buffers between the two take: the server has to stop and go on.
    let values: Vec<i64> = (0..600_000).map(|i| i64::MIN + i).collect();
    for batch in values.chunks(50_000) {
        client.ask(&serde_json::json!({"op": "add", "values": batch}).to_string());
    }
    let mut slow = connect(server.socket_addr());
    slow.write_all(b"[]\n{\"op\":\"ping\"}\n").expect("the server reads");
    let mut first = [0; 1];
    slow.read_exact(&mut first).expect("the reply begins");
    for i in 1..100 {
        // The snapshot that is being sent was taken before these.
        let reply = client.ask(&format!("{{\"op\":\"add\",\"values\":[{i}]}}"));
        assert_eq!(reply, format!("{{\"added\":1,\"count\":{}}}", values.len() + i));
    }
    let mut slow = Lines::over(slow);
    let expected = serde_json::to_string(&values).expect("numbers are JSON");
    assert!(first[0] == b'[' && slow.read() == expected[1..], "the array came whole");
    assert_eq!(slow.read(), r#"{"pong":true}"#);
}
