//! Entity tags and requests that depend on them.

use crate::http_client::{Client, Response};
use crate::server::start;

/// Asks for a target with these header fields, and for its head: the answers are alike.
fn get(client: &mut Client, target: &str, headers: &str) -> Response {
    let response = client.ask_with("GET", target, headers, b"");
    let head = client.ask_with("HEAD", target, headers, b"");
    assert_eq!(head.status, response.status, "{target} {headers}");
    for name in ["etag", "vary", "content-type", "sortd-count"] {
        assert_eq!(head.header(name), response.header(name), "{target} {headers}: {name}");
    }
    response
}

fn tag(client: &mut Client, target: &str, headers: &str) -> String {
    let response = get(client, target, headers);
    assert_eq!(response.status, 200, "{target} {headers}");
    response.header("etag").expect("an array has a tag").to_owned()
}

#[test]
fn a_tag_changes_with_all_that_the_answer_depends_on() {
    let (server, other) = (start(), start());
    let mut client = Client::connect(server.http_addr());
    let mut seen = Vec::new();
    let mut assert_new = |tag: String, what: &str| {
        assert!(tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'), "{what}: {tag}");
        assert!(!seen.contains(&tag), "{what}: {tag}");
        seen.push(tag);
    };
    assert_new(tag(&mut client, "/array", ""), "the empty array");
    assert_new(tag(&mut Client::connect(other.http_addr()), "/array", ""), "another server");
    let changes = [
        ("POST", "/array", "[1,2,3]"),
        ("POST", "/array", "[3,4]"),
        ("DELETE", "/array?value=3", ""),
        ("POST", "/array/pop?end=min", ""),
        ("POST", "/array", "[5]"),
        ("DELETE", "/array?min=3&max=4", ""),
    ];
    for (method, target, body) in changes {
        client.ask(method, target, body);
        assert_new(tag(&mut client, "/array", ""), target);
    }
    for query in ["?min=2", "?max=9", "?offset=1", "?limit=9", "?order=desc", "?numbers=string"] {
        assert_new(tag(&mut client, &format!("/array{query}"), ""), query);
    }
    for form in ["application/x-ndjson", "text/csv", "application/octet-stream"] {
        assert_new(tag(&mut client, "/array", &format!("Accept: {form}\r\n")), form);
    }

    // The same question to the same content has the same tag, however it is put.
    let first = tag(&mut client, "/array?min=2&max=9", "");
    assert_eq!(tag(&mut client, "/get_array?max=9&min=2", "Accept: */*\r\n"), first);
    client.ask("GET", "/array/count", "");
    client.ask("DELETE", "/array?value=77", "");
    assert_eq!(tag(&mut client, "/array?min=2&max=9", ""), first, "nothing has changed");
}

#[test]
fn what_a_client_has_already_is_not_sent_again() {
    let server = start();
    let mut client = Client::connect(server.http_addr());
    client.ask("POST", "/array", "[1,2,3]");
    let target = "/array?min=2";
    let tag = tag(&mut client, target, "");
    let known = [
        format!("If-None-Match: {tag}\r\n"),
        format!("if-none-match: W/{tag}\r\n"),
        format!("If-None-Match: \"x\", {tag}\r\n"),
        format!("If-None-Match: \"x\"\r\nIf-None-Match: {tag}\r\n"),
        "If-None-Match: *\r\n".to_owned(),
    ];
    for headers in known {
        let response = get(&mut client, target, &headers);
        assert_eq!((response.status, response.body.as_str()), (304, ""), "{headers}");
        assert_eq!(response.header("etag"), Some(tag.as_str()), "{headers}");
        assert_eq!(response.header("vary"), Some("Accept"), "{headers}");
        for absent in ["content-type", "content-length", "transfer-encoding"] {
            assert_eq!(response.header(absent), None, "{headers}: {absent}");
        }
    }
    let has_it = format!("If-None-Match: {tag}\r\n");
    let unknown = [
        (target, "If-None-Match: \"x\"\r\n".to_owned()),
        (target, "If-None-Match:\r\n".to_owned()),
        (target, format!("If-None-Match: {}\r\n", tag.trim_matches('"'))),
        (target, format!("{has_it}Accept: text/csv\r\n")),
        ("/array", has_it.clone()),
        ("/array?min=2&numbers=string", has_it.clone()),
    ];
    for (target, headers) in unknown {
        assert_eq!(get(&mut client, target, &headers).status, 200, "{target} {headers}");
    }
    let refused = [("/array?min=x", 400), ("/array?min=2&x=1", 400)];
    for (target, status) in refused {
        assert_eq!(get(&mut client, target, &has_it).status, status, "{target}");
    }
    client.ask("POST", "/array", "[4]");
    let response = get(&mut client, target, &has_it);
    assert_eq!((response.status, response.body.as_str()), (200, "[2,3,4]\n"));
}
