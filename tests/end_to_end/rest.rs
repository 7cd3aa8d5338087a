//! REST over a real socket.

mod bodies;
mod conditional;

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
    let buckets = json!([{"from": -9, "to": 0, "count": 1}, {"from": 1, "to": 9, "count": 5}]);
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
        ("GET", "/array/count?min=4&max=5", "", 200, json!({"count": 3})),
        ("GET", "/array/rank/4", "", 200, json!({"value": 4, "rank": 2, "equal": 2})),
        ("GET", "/array/at/0", "", 200, json!({"index": 0, "value": -9})),
        ("GET", "/array/at/-1", "", 200, json!({"index": -1, "value": 9})),
        ("GET", "/array/min", "", 200, json!({"value": -9})),
        ("GET", "/array/max", "", 200, json!({"value": 9})),
        (
            "GET",
            "/array/quantiles?q=0.5,0.99",
            "",
            200,
            json!({"count": 6, "quantiles": [{"q": 0.5, "value": 4}, {"q": 0.99, "value": 9}]}),
        ),
        (
            "GET",
            "/array/histogram?buckets=2",
            "",
            200,
            json!({"count": 6, "min": -9, "max": 9, "buckets": buckets}),
        ),
        ("DELETE", "/array?value=4", "", 200, json!({"removed": 1})),
        ("DELETE", "/array?value=7", "", 200, json!({"removed": 0})),
        ("DELETE", "/array?min=4&max=5", "", 200, json!({"removed": 2})),
        ("POST", "/array/pop?end=min", "", 200, json!({"values": [-9]})),
        ("POST", "/array/pop?end=max&n=5", "", 200, json!({"values": [9, 3]})),
        ("POST", "/add_value?reply=count", "[5,5,5]", 201, json!({"added": 3, "count": 3})),
        ("DELETE", "/clean_array?value=5&all=true", "", 200, json!({"removed": 3})),
        ("POST", "/array?reply=count", "[1,2]", 201, json!({"added": 2, "count": 2})),
        ("DELETE", "/array", "", 200, json!({"removed": 2})),
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
fn order_statistics() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let quantile = |q: Value, value: Value| json!({"q": q, "value": value});
    let empty = [
        ("/array/rank/0", json!({"value": 0, "rank": 0, "equal": 0})),
        ("/array/min", json!({"value": null})),
        ("/array/max", json!({"value": null})),
        (
            "/array/quantiles?q=0,1",
            json!({"count": 0, "quantiles": [
                quantile(json!(0), Value::Null), quantile(json!(1), Value::Null)
            ]}),
        ),
        ("/array/histogram", json!({"count": 0, "min": null, "max": null, "buckets": []})),
    ];
    for (target, expected) in empty {
        assert_eq!(json(&client.ask("GET", target, "").body), expected, "{target}");
    }
    client.ask("POST", "/array", "[5,3,9,3,-2,9223372036854775807,-9223372036854775808]");
    let (min, max) = (i64::MIN, i64::MAX);
    let full = [
        ("/array/rank/3", json!({"value": 3, "rank": 2, "equal": 2})),
        ("/array/rank/4", json!({"value": 4, "rank": 4, "equal": 0})),
        ("/array/rank/-9223372036854775808", json!({"value": min, "rank": 0, "equal": 1})),
        ("/array/rank/9223372036854775807", json!({"value": max, "rank": 6, "equal": 1})),
        ("/array/rank/%33", json!({"value": 3, "rank": 2, "equal": 2})),
        ("/array/at/6", json!({"index": 6, "value": max})),
        ("/array/at/-7", json!({"index": -7, "value": min})),
        ("/array/min", json!({"value": min})),
        ("/array/max", json!({"value": max})),
        (
            "/array/quantiles?q=0,0.15,0.58%2C1",
            json!({"count": 7, "quantiles": [
                quantile(json!(0), json!(min)),
                quantile(json!(0.15), json!(-2)),
                quantile(json!(0.58), json!(5)),
                quantile(json!(1), json!(max)),
            ]}),
        ),
        (
            "/array/histogram?buckets=1",
            json!({"count": 7, "min": min, "max": max, "buckets": [
                {"from": min, "to": max, "count": 7}
            ]}),
        ),
        (
            "/array/histogram?buckets=2",
            json!({"count": 7, "min": min, "max": max, "buckets": [
                {"from": min, "to": -1, "count": 2}, {"from": 0, "to": max, "count": 5}
            ]}),
        ),
    ];
    for (target, expected) in full {
        let response = client.ask("GET", target, "");
        assert_eq!((response.status, json(&response.body)), (200, expected), "{target}");
    }
    for index in ["7", "-8", "9223372036854775807", "-9223372036854775808"] {
        let response = client.ask("GET", &format!("/array/at/{index}"), "");
        assert_eq!(response.status, 404, "{index}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        assert!(json(&response.body)["detail"].as_str().expect("a reason").contains(index));
    }
}

#[test]
fn a_histogram_counts_every_element_once() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let values: Vec<i64> = (0..5000).map(|i| i * i % 7919).collect();
    client.ask("POST", "/array?reply=count", &json!(values).to_string());
    for (query, most) in [("", 50), ("?buckets=7", 7), ("?buckets=10000", 10_000)] {
        let histogram = json(&client.ask("GET", &format!("/array/histogram{query}"), "").body);
        assert_eq!(histogram["count"], values.len());
        let buckets = histogram["buckets"].as_array().expect("there are buckets");
        assert!((2..=most).contains(&buckets.len()), "{query}: {}", buckets.len());
        let number = |value: &Value| value.as_i64().expect("it is an integer");
        assert_eq!(buckets[0]["from"], histogram["min"]);
        assert_eq!(buckets[buckets.len() - 1]["to"], histogram["max"]);
        for pair in buckets.windows(2) {
            assert_eq!(number(&pair[0]["to"]) + 1, number(&pair[1]["from"]), "no gaps");
        }
        let width = |bucket: &Value| number(&bucket["to"]) - number(&bucket["from"]);
        let (last, others) = buckets.split_last().expect("there are some");
        assert!(others.iter().all(|bucket| width(bucket) == width(&buckets[0])), "{query}");
        assert!(width(last) <= width(&buckets[0]), "{query}");
        for bucket in buckets {
            let (from, to) = (number(&bucket["from"]), number(&bucket["to"]));
            let within = values.iter().filter(|v| (from..=to).contains(*v)).count();
            assert_eq!(bucket["count"], within, "{query}: {bucket}");
        }
    }
    client.ask("DELETE", "/array", "");
    client.ask("POST", "/array", "[4,4,4]");
    let histogram = json(&client.ask("GET", "/array/histogram", "").body);
    let bucket = json!([{"from": 4, "to": 4, "count": 3}]);
    assert_eq!(histogram, json!({"count": 3, "min": 4, "max": 4, "buckets": bucket}));
}

#[test]
fn removals_take_what_they_say_and_no_more() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    let everything = json!([i64::MIN, -1, 5, 5, 5, 7, i64::MAX]);
    let removals = [
        ("?value=5", 1, json!([i64::MIN, -1, 5, 5, 7, i64::MAX])),
        ("?value=5&all=false", 1, json!([i64::MIN, -1, 5, 5, 7, i64::MAX])),
        ("?all=true&value=5", 3, json!([i64::MIN, -1, 7, i64::MAX])),
        ("?value=6&all=true", 0, everything.clone()),
        ("?value=-9223372036854775808", 1, json!([-1, 5, 5, 5, 7, i64::MAX])),
        ("?min=5&max=5", 3, json!([i64::MIN, -1, 7, i64::MAX])),
        ("?max=5&min=7", 0, everything.clone()),
        ("?min=0&max=9223372036854775807", 5, json!([i64::MIN, -1])),
        ("?min=-9223372036854775808&max=9223372036854775807", 7, json!([])),
        ("", 7, json!([])),
    ];
    for (query, removed, left) in removals {
        for path in ["/array", "/clean_array"] {
            client.ask("POST", "/array", &everything.to_string());
            let response = client.ask("DELETE", &format!("{path}{query}"), "");
            let expected = (200, json!({ "removed": removed }));
            assert_eq!((response.status, json(&response.body)), expected, "{query}");
            assert_eq!(json(&client.ask("GET", "/array", "").body), left, "{query}");
            client.ask("DELETE", "/array", "");
        }
    }
    client.ask("POST", "/array", &everything.to_string());
    let pops = [
        ("end=min", json!([i64::MIN])),
        ("n=1&end=max", json!([i64::MAX])),
        ("end=min&n=0", json!([])),
        ("end=max&n=3", json!([7, 5, 5])),
        ("end=min&n=9223372036854775807", json!([-1, 5])),
        ("end=max&n=2", json!([])),
    ];
    for (query, popped) in pops {
        let response = client.ask("POST", &format!("/array/pop?{query}"), "");
        let expected = (200, json!({ "values": popped }));
        assert_eq!((response.status, json(&response.body)), expected, "{query}");
    }
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
        // They may have been moved between the two.
        assert!(stats["store"].take()["tiers"].is_array());
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
        ("/array?numbers=text", "numbers"),
        ("/array/count?numbers=string", "numbers"),
        ("/array/rank/5?value=5", "value"),
        ("/array/rank/5?numbers=", "numbers"),
        ("/array/at/0?index=0", "index"),
        ("/array/min?min=1", "min"),
        ("/array/max?n=1", "n"),
        ("/array/quantiles", "q"),
        ("/array/quantiles?q=", "q"),
        ("/array/quantiles?q=0.5,", "q"),
        ("/array/quantiles?q=1.5", "q"),
        ("/array/quantiles?q=-0.5", "q"),
        ("/array/quantiles?q=NaN", "q"),
        ("/array/quantiles?q=inf", "q"),
        ("/array/quantiles?q=0.5;0.9", "q"),
        ("/array/quantiles?q=0.5&q=0.9", "q"),
        ("/array/histogram?buckets=0", "buckets"),
        ("/array/histogram?buckets=10001", "buckets"),
        ("/array/histogram?buckets=-1", "buckets"),
        ("/array/histogram?buckets=ten", "buckets"),
        ("/array/histogram?bucket=1", "bucket"),
        ("/stats?numbers=string", "numbers"),
    ];
    for (target, name) in refused {
        let response = client.ask("GET", target, "");
        assert_eq!(response.status, 400, "{target}");
        let problem = json(&response.body);
        let detail = problem["detail"].as_str().expect("there is a reason");
        assert!(detail.contains(&format!("{name:?}")), "{target}: {detail}");
    }
    let many = vec!["0.5"; 1000].join(",");
    assert_eq!(client.ask("GET", &format!("/array/quantiles?q={many}"), "").status, 200);
    let response = client.ask("GET", &format!("/array/quantiles?q={many},1"), "");
    assert_eq!(response.status, 400);
    assert!(response.body.contains("at most 1000"), "{}", response.body);
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
    client.ask("POST", "/array", "[1,1,2]");
    let refused = [
        ("GET", "/nothing", "", 404),
        ("GET", "/array/", "", 404),
        ("GET", "/array/rank", "", 404),
        ("GET", "/array/rank/1/2", "", 404),
        ("GET", "/array/at/3", "", 404),
        ("GET", "/array/at/-4", "", 404),
        ("GET", "/array/rank/x", "", 400),
        ("GET", "/array/rank/1.5", "", 400),
        ("GET", "/array/rank/9223372036854775808", "", 400),
        ("GET", "/array/at/first", "", 400),
        ("GET", "/array/at/%20", "", 400),
        ("GET", "/array/at/-9223372036854775809", "", 400),
        ("GET", "/array?x=1", "", 400),
        ("GET", "/livez?x", "", 400),
        ("DELETE", "/array?", "", 400),
        ("DELETE", "/array?&", "", 400),
        ("DELETE", "/array?value=", "", 400),
        ("DELETE", "/array?value=x", "", 400),
        ("DELETE", "/array?value=1&value=1", "", 400),
        ("DELETE", "/array?value=1&all", "", 400),
        ("DELETE", "/array?value=1&all=yes", "", 400),
        ("DELETE", "/array?all=true", "", 400),
        ("DELETE", "/array?min=1", "", 400),
        ("DELETE", "/array?max=9", "", 400),
        ("DELETE", "/array?min=1&max=", "", 400),
        ("DELETE", "/array?min=1&max=9&all=true", "", 400),
        ("DELETE", "/array?value=1&min=1&max=9", "", 400),
        ("DELETE", "/array?value=1&max=9", "", 400),
        ("DELETE", "/array?Min=1&Max=9", "", 400),
        ("DELETE", "/array?reply=count", "", 400),
        ("DELETE", "/array?limit=1", "", 400),
        ("DELETE", "/clean_array?min=1", "", 400),
        ("POST", "/array/pop", "", 400),
        ("POST", "/array/pop?n=1", "", 400),
        ("POST", "/array/pop?end=middle", "", 400),
        ("POST", "/array/pop?end=min&end=max", "", 400),
        ("POST", "/array/pop?end=min&n=-1", "", 400),
        ("POST", "/array/pop?end=min&n=x", "", 400),
        ("POST", "/array/pop?end=min&count=1", "", 400),
        ("POST", "/array?reply=all", "[1]", 400),
        ("POST", "/array?reply=count&reply=count", "[1]", 400),
        ("POST", "/array?numbers=none", "[1]", 400),
        ("POST", "/array?end=min", "[1]", 400),
        ("POST", "/array", "[1,2.5]", 400),
        ("POST", "/array", "2.5", 400),
        ("POST", "/array", "{\"value\":[1]}", 400),
        ("POST", "/array", "[1", 400),
        ("POST", "/array", "x", 400),
        ("PUT", "/array", "[1]", 405),
        ("OPTIONS", "/array", "", 405),
        ("POST", "/", "", 405),
        ("DELETE", "/array/count", "", 405),
        ("DELETE", "/array/rank/1", "", 405),
        ("DELETE", "/array/min", "", 405),
        ("GET", "/array/pop?end=min", "", 405),
    ];
    for (method, target, body, status) in refused {
        let response = client.ask(method, target, body);
        assert_eq!(response.status, status, "{method} {target} {body}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        let problem = json(&response.body);
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        assert_eq!(client.ask("GET", "/array", "").body, "[1,1,2]\n", "{method} {target} {body}");
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
    assert_eq!(client.ask("POST", "/array/pop?end=max", "").body, "{\"values\":[5]}\n");
    assert_eq!(client.ask("DELETE", "/array?value=1", "").body, "{\"removed\":1}\n");
    assert_eq!(client.ask("POST", "/array", "[6,6,6]").status, 507);
    assert_eq!(client.ask("POST", "/array", "[6,6]").status, 201);
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
        ("/array/rank/5", "GET, HEAD"),
        ("/array/rank/x", "GET, HEAD"),
        ("/array/at/0", "GET, HEAD"),
        ("/array/min", "GET, HEAD"),
        ("/array/max", "GET, HEAD"),
        ("/array/quantiles", "GET, HEAD"),
        ("/array/histogram", "GET, HEAD"),
        ("/array/pop", "POST"),
        ("/stats", "GET, HEAD"),
        ("/livez", "GET, HEAD"),
        ("/readyz", "GET, HEAD"),
        ("/", "GET, HEAD"),
    ];
    for (target, methods) in allowed {
        assert_eq!(client.ask("PATCH", target, "").header("allow"), Some(methods), "{target}");
    }
    assert_eq!(client.ask("GET", "/add_value", "").status, 405);
    assert_eq!(client.ask("GET", "/clean_array", "").status, 405);
}

#[test]
fn head_answers_as_get_without_the_body() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    client.ask("POST", "/array", "[1,2,3]");
    let targets = [
        "/array",
        "/get_array?min=2",
        "/array/count",
        "/array/rank/2",
        "/array/rank/x",
        "/array/at/0",
        "/array/at/9",
        "/array/min",
        "/array/max",
        "/array/quantiles?q=0.5",
        "/array/quantiles",
        "/array/histogram",
        "/array/pop?end=min",
        "/",
        "/livez",
        "/readyz",
        "/nothing",
        "/add_value",
    ];
    for target in targets {
        let (head, get) = (client.ask("HEAD", target, ""), client.ask("GET", target, ""));
        assert_eq!(head.status, get.status, "{target}");
        for name in ["content-type", "content-length", "allow", "etag", "vary"] {
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
