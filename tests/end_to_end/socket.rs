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

/// Asks one after the other and compares with the replies.
fn converse(client: &mut Lines, conversation: &[(&str, &str)]) {
    for (request, reply) in conversation {
        assert_eq!(&client.ask(request), reply, "{request}");
    }
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
        (r#"{"op":"count","min":4,"max":5}"#, r#"{"count":3}"#),
        (r#"{"op":"rank","value":4}"#, r#"{"value":4,"rank":2,"equal":2}"#),
        (r#"{"op":"at","index":0}"#, r#"{"index":0,"value":-9}"#),
        (
            r#"{"op":"quantiles","q":[0.5,0.99]}"#,
            r#"{"count":6,"quantiles":[{"q":0.5,"value":4},{"q":0.99,"value":9}]}"#,
        ),
        (r#"{"op":"min"}"#, r#"{"value":-9}"#),
        (r#"{"op":"max"}"#, r#"{"value":9}"#),
        (r#"{"op":"remove","values":[4,7,3]}"#, r#"{"removed":2}"#),
        (r#"{"op":"remove_range","min":5,"max":8}"#, r#"{"removed":1}"#),
        (r#"{"op":"pop_min"}"#, r#"{"values":[-9]}"#),
        (r#"{"op":"pop_max","n":5}"#, r#"{"values":[9,4]}"#),
        (r#"{"op":"ping"}"#, r#"{"pong":true}"#),
        (r#"{"op":"auth","token":"secret"}"#, r#"{"ok":true}"#),
        (
            "[9223372036854775807,-9223372036854775808]",
            "[-9223372036854775808,9223372036854775807]",
        ),
        (r#"{"op":"clear"}"#, r#"{"removed":2}"#),
        (r#"{"op":"clear"}"#, r#"{"removed":0}"#),
    ];
    converse(&mut client, &conversation);
}

#[test]
fn what_there_is_to_know_of_an_empty_array() {
    let server = start();
    let conversation = [
        (r#"{"op":"rank","value":0}"#, r#"{"value":0,"rank":0,"equal":0}"#),
        (
            r#"{"op":"quantiles","q":[0,0.5,1]}"#,
            r#"{"count":0,"quantiles":[{"q":0,"value":null},{"q":0.5,"value":null},{"q":1,"value":null}]}"#,
        ),
        (r#"{"op":"min"}"#, r#"{"value":null}"#),
        (r#"{"op":"max"}"#, r#"{"value":null}"#),
        (r#"{"op":"remove","values":[5]}"#, r#"{"removed":0}"#),
        (r#"{"op":"remove","values":[5],"all":true}"#, r#"{"removed":0}"#),
        (
            r#"{"op":"remove_range","min":-9223372036854775808,"max":9223372036854775807}"#,
            r#"{"removed":0}"#,
        ),
        (r#"{"op":"pop_min"}"#, r#"{"values":[]}"#),
        (r#"{"op":"pop_max","n":9}"#, r#"{"values":[]}"#),
    ];
    let mut client = Lines::connect(&server);
    converse(&mut client, &conversation);
    for index in ["0", "-1", "1", "9223372036854775807", "-9223372036854775808"] {
        let reply = client.ask(&format!(r#"{{"op":"at","index":{index}}}"#));
        assert!(reply.starts_with(r#"{"error":{"code":"out_of_range","message":""#), "{reply}");
        assert!(reply.contains(index), "{reply}");
    }
}

#[test]
fn order_statistics() {
    let server = start();
    let mut client = Lines::connect(&server);
    client.ask("[5,3,9,3,-2,9223372036854775807,-9223372036854775808]");
    let ranks = [
        ("-9223372036854775808", 0, 1),
        ("-9223372036854775807", 1, 0),
        ("3", 2, 2),
        ("4", 4, 0),
        ("9223372036854775806", 6, 0),
        ("9223372036854775807", 6, 1),
    ];
    for (value, rank, equal) in ranks {
        let reply = client.ask(&format!(r#"{{"op":"rank","value":{value}}}"#));
        assert_eq!(reply, format!(r#"{{"value":{value},"rank":{rank},"equal":{equal}}}"#));
    }
    let elements = [
        ("0", "-9223372036854775808"),
        ("-7", "-9223372036854775808"),
        ("2", "3"),
        ("3", "3"),
        ("-2", "9"),
        ("6", "9223372036854775807"),
        ("-1", "9223372036854775807"),
    ];
    for (index, value) in elements {
        let reply = client.ask(&format!(r#"{{"op":"at","index":{index}}}"#));
        assert_eq!(reply, format!(r#"{{"index":{index},"value":{value}}}"#));
    }
    for index in ["7", "-8", "9223372036854775807", "-9223372036854775808"] {
        let reply = client.ask(&format!(r#"{{"op":"at","index":{index},"id":"mine"}}"#));
        assert!(reply.starts_with(r#"{"id":"mine","error":{"code":"out_of_range""#), "{reply}");
    }
    // Of seven elements the one at ceil(7q) - 1.
    let quantiles = [
        ("0", "-9223372036854775808"),
        ("0.14", "-9223372036854775808"),
        ("0.15", "-2"),
        ("0.5", "3"),
        ("0.58", "5"),
        ("0.85", "9"),
        ("0.86", "9223372036854775807"),
        ("1", "9223372036854775807"),
        ("1e-9", "-9223372036854775808"),
    ];
    for (q, value) in quantiles {
        let reply = client.ask(&format!(r#"{{"op":"quantiles","q":[{q}]}}"#));
        assert_eq!(reply, format!(r#"{{"count":7,"quantiles":[{{"q":{q},"value":{value}}}]}}"#));
    }
    converse(
        &mut client,
        &[
            (r#"{"op":"min"}"#, r#"{"value":-9223372036854775808}"#),
            (r#"{"op":"max"}"#, r#"{"value":9223372036854775807}"#),
        ],
    );
}

#[test]
fn removals_take_what_they_say_and_no_more() {
    let server = start();
    let mut client = Lines::connect(&server);
    let everything = "[-9223372036854775808,-1,5,5,5,7,9223372036854775807]";
    let removals = [
        (r#""op":"remove","values":[]"#, 0, everything),
        (r#""op":"remove","values":[],"all":true"#, 0, everything),
        (r#""op":"remove","values":[6]"#, 0, everything),
        (r#""op":"remove","values":[5,7,5]"#, 3, "[-9223372036854775808,-1,5,9223372036854775807]"),
        (
            r#""op":"remove","values":[7,7,5],"all":false"#,
            2,
            "[-9223372036854775808,-1,5,5,9223372036854775807]",
        ),
        (
            r#""op":"remove","values":[5,5,5,5,5]"#,
            3,
            "[-9223372036854775808,-1,7,9223372036854775807]",
        ),
        (
            r#""op":"remove","values":[5,6,-1,5],"all":true"#,
            4,
            "[-9223372036854775808,7,9223372036854775807]",
        ),
        (r#""op":"remove","values":[9223372036854775807,-9223372036854775808]"#, 2, "[-1,5,5,5,7]"),
        (
            r#""op":"remove_range","min":5,"max":5"#,
            3,
            "[-9223372036854775808,-1,7,9223372036854775807]",
        ),
        (r#""op":"remove_range","min":7,"max":5"#, 0, everything),
        (
            r#""op":"remove_range","min":9223372036854775807,"max":-9223372036854775808"#,
            0,
            everything,
        ),
        (
            r#""op":"remove_range","min":0,"max":9223372036854775807"#,
            5,
            "[-9223372036854775808,-1]",
        ),
        (r#""op":"remove_range","min":-9223372036854775808,"max":9223372036854775807"#, 7, "[]"),
    ];
    for (fields, removed, left) in removals {
        assert_eq!(client.ask(everything), everything);
        let reply = client.ask(&format!("{{{fields}}}"));
        assert_eq!(reply, format!(r#"{{"removed":{removed}}}"#), "{fields}");
        assert_eq!(client.ask("[]"), left, "{fields}");
        client.ask(r#"{"op":"clear"}"#);
    }
    let pops = [
        (r#""op":"pop_min""#, "[-9223372036854775808]"),
        (r#""op":"pop_max""#, "[9223372036854775807]"),
        (r#""op":"pop_min","n":0"#, "[]"),
        (r#""op":"pop_max","n":3"#, "[7,5,5]"),
        (r#""op":"pop_min","n":9223372036854775807"#, "[-1,5]"),
        (r#""op":"pop_max","n":2"#, "[]"),
    ];
    client.ask(everything);
    for (fields, popped) in pops {
        let reply = client.ask(&format!("{{{fields}}}"));
        assert_eq!(reply, format!(r#"{{"values":{popped}}}"#), "{fields}");
    }
}

#[test]
fn each_element_is_popped_once_by_many_at_once() {
    let server = start();
    let values: Vec<i64> = (0..3000).map(|i| i / 3).collect();
    Lines::connect(&server).ask(&json!(values).to_string());
    let mut popped = std::thread::scope(|scope| {
        let threads: Vec<_> = ["pop_min", "pop_max", "pop_min", "pop_max"]
            .into_iter()
            .map(|op| {
                let mut client = Lines::connect(&server);
                scope.spawn(move || {
                    let mut popped = Vec::new();
                    loop {
                        let reply = client.ask(&format!(r#"{{"op":"{op}","n":7}}"#));
                        let reply: Value = serde_json::from_str(&reply).expect("it is JSON");
                        let values = reply["values"].as_array().expect("it shows values");
                        if values.is_empty() {
                            return popped;
                        }
                        popped.extend(values.iter().filter_map(Value::as_i64));
                    }
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it ends")).collect::<Vec<_>>()
    });
    popped.sort_unstable();
    assert!(popped == values, "{} of {}", popped.len(), values.len());
}

#[test]
fn an_id_is_echoed_as_it_was_sent() {
    let server = start();
    let mut client = Lines::connect(&server);
    client.ask("[5,3]");
    let conversation = [
        (r#"{"op":"count","id":7}"#, r#"{"id":7,"count":2}"#),
        (r#"{"id": "a \" b", "op":"count"}"#, r#"{"id":"a \" b","count":2}"#),
        (r#"{"id":null,"op":"ping"}"#, r#"{"id":null,"pong":true}"#),
        (r#"{"id":{"a": [1, 2.50]},"op":"min"}"#, r#"{"id":{"a":[1,2.50]},"value":3}"#),
        (
            r#"{"id":123456789012345678901234567890,"op":"array"}"#,
            r#"{"id":123456789012345678901234567890,"count":2,"values":[3,5]}"#,
        ),
        (r#"{"id":1,"op":"auth","token":""}"#, r#"{"id":1,"ok":true}"#),
        (
            r#"{"id":1,"op":"add","values":[4],"reply":"array"}"#,
            r#"{"id":1,"added":1,"count":3,"values":[3,4,5]}"#,
        ),
        (r#"{"id":1,"op":"pop_max"}"#, r#"{"id":1,"values":[5]}"#),
        (r#"{"id":1,"op":"clear"}"#, r#"{"id":1,"removed":2}"#),
    ];
    converse(&mut client, &conversation);
    let stats = client.ask(r#"{"op":"stats","id":[]}"#);
    assert!(stats.starts_with(r#"{"id":[],"version":""#), "{stats}");

    let refused = [
        (r#"{"op":"sort","id":7}"#, "7", "unknown_op"),
        (r#"{"id":7}"#, "7", "bad_request"),
        (r#"{"op":"add","values":[1,2.5],"id":"seven"}"#, r#""seven""#, "bad_request"),
        (r#"{"op":"ping","op":"ping","id":[7]}"#, "[7]", "bad_request"),
        (r#"{"op":"ping","id":7,"id":8}"#, "7", "bad_request"),
        (r#"{"op":"ping","id":7,"x"}"#, "7", "bad_json"),
        (r#"{"op":"at","index":0,"id":7}"#, "7", "out_of_range"),
    ];
    for (request, id, code) in refused {
        let reply = client.ask(request);
        let expected = format!(r#"{{"id":{id},"error":{{"code":"{code}","message":""#);
        assert!(reply.starts_with(&expected), "{request}: {reply}");
    }
    for request in [r#"{"op":"ping","id":}"#, r#"[1,"id"]"#, r#"{"op":"sort"}"#] {
        let reply = client.ask(request);
        assert!(reply.starts_with(r#"{"error":{"code":""#), "{request}: {reply}");
    }
    // Long lines go another way.
    let values = vec!["1"; 20_000].join(",");
    let reply = client.ask(&format!(r#"{{"op":"add","values":[{values}],"id":7}}"#));
    assert_eq!(reply, r#"{"id":7,"added":20000,"count":20000}"#);
    let reply = client.ask(&format!(r#"{{"op":"remove","values":[{values},1],"id":8}}"#));
    assert_eq!(reply, r#"{"id":8,"removed":20000}"#);
    let reply = client.ask(&format!(r#"{{"op":"add","values":[{values},null],"id":9}}"#));
    assert!(reply.starts_with(r#"{"id":9,"error":{"code":"bad_request""#), "{reply}");
    assert!(reply.contains("position 20000"), "{reply}");
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
    client.ask(r#"{"op":"pop_min","n":2}"#);
    client.ask(r#"{"op":"remove","values":[9,9]}"#);
    assert!(client.ask(r#"{"op":"at","index":0}"#).contains("out_of_range"));
    let last = stats(&mut client);
    let counts = [
        ("epoch", 1),
        ("count", 0),
        ("requests", 13),
        ("values_added", 13),
        ("values_removed", 13),
    ];
    for (field, n) in counts {
        assert_eq!(last[field], n, "{field}: {last}");
    }

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
    client.ask("[1,1,2]");
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
        (r#"{"op":"at","index":3}"#, "out_of_range"),
        (r#"{"op":"at","index":-4}"#, "out_of_range"),
        (r#"{"op":"quantiles","q":[0.5,1.5]}"#, "bad_request"),
        (r#"{"op":"quantiles","q":[]}"#, "bad_request"),
        (r#"{"op":"quantiles","q":[1e999]}"#, "bad_request"),
        (r#"{"op":"quantiles","q":["0.5"]}"#, "bad_request"),
        (r#"{"op":"remove"}"#, "bad_request"),
        (r#"{"op":"remove","values":[1,1.5]}"#, "bad_request"),
        (r#"{"op":"remove","values":[1],"all":"true"}"#, "bad_request"),
        (r#"{"op":"remove","values":[1],"reply":"count"}"#, "bad_request"),
        (r#"{"op":"remove_range"}"#, "bad_request"),
        (r#"{"op":"remove_range","min":1}"#, "bad_request"),
        (r#"{"op":"remove_range","max":9}"#, "bad_request"),
        (r#"{"op":"remove_range","min":1,"max":"9"}"#, "bad_request"),
        (r#"{"op":"pop_min","n":-1}"#, "bad_request"),
        (r#"{"op":"pop_max","n":1.5}"#, "bad_request"),
        (r#"{"op":"pop_max","n":1,"n":1}"#, "bad_request"),
        (r#"{"op":"pop","n":1}"#, "unknown_op"),
        (r#"{"op":"clear","values":[1]}"#, "bad_request"),
        (r#"{"op":"auth"}"#, "bad_request"),
    ];
    for (request, code) in refused {
        let reply = client.ask(request);
        let expected = format!(r#"{{"error":{{"code":"{code}","message":""#);
        assert!(reply.starts_with(&expected), "{request}: {reply}");
        assert_eq!(client.ask("[]"), "[1,1,2]", "after {request}");
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
    assert!(client.ask("[4]").starts_with(full));
    assert_eq!(client.ask(r#"{"op":"pop_min"}"#), r#"{"values":[5]}"#);
    assert_eq!(other.ask("[4]"), "[4,6,7,8,9]");
    assert_eq!(client.ask(r#"{"op":"remove_range","min":6,"max":9}"#), r#"{"removed":4}"#);
    assert_eq!(other.ask("[3,3,3,3]"), "[3,3,3,3,4]");
    assert_eq!(client.ask(r#"{"op":"remove","values":[3],"all":true}"#), r#"{"removed":4}"#);
    assert!(client.ask("[1,2,3,4,5]").starts_with(full));
}

#[test]
fn a_first_byte_of_no_dialect_gets_one_line() {
    let server = start();
    for greeting in ["5\n", "\"x\"\n", "\u{16}\u{3}\u{1}", "$4\r\nPING\r\n"] {
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
