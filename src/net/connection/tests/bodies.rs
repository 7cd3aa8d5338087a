//! Bodies of HTTP requests, and requests that meet a defect.

use super::*;

use std::panic::{AssertUnwindSafe, catch_unwind};

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

/// The head of a POST with these header fields.
fn post(fields: &str) -> String {
    format!("POST /array?reply=count HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

fn added(n: usize) -> String {
    let body = format!("{{\"added\":{n},\"count\":{n}}}\n");
    let fields = "Content-Type: application/json\r\n";
    head("201 Created", &format!("{fields}Content-Length: {}\r\n", body.len())) + &body
}

#[test]
fn chunks_are_answered_the_same_however_they_are_split() {
    let session = post("Transfer-Encoding: chunked\r\n")
        + "2;x=y\r\n[5\r\n5\r\n,3,9]\r\n0\r\nDigest: z\r\n\r\n"
        + "GET /livez HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let text = "Content-Type: text/plain; charset=utf-8\r\n";
    let ok = head("200 OK", &format!("{text}Content-Length: 3\r\nConnection: close\r\n")) + "ok\n";
    for_every_split(FaceKind::Http, session.as_bytes(), &(added(3) + &ok));
}

#[test]
fn a_client_that_waits_is_told_to_go_on_and_then_answered() {
    for (framing, body) in [
        ("Content-Length: 3\r\n", "[7]"),
        ("Transfer-Encoding: chunked\r\n", "3\r\n[7]\r\n0\r\n\r\n"),
    ] {
        let mut peer = Peer::new(FaceKind::Http);
        peer.send(post(&format!("Expect: 100-continue\r\n{framing}")).as_bytes());
        assert_eq!(peer.take_received(), CONTINUE, "{framing}");
        for byte in body.as_bytes() {
            assert_eq!(peer.received(), "", "it is told once");
            peer.send(&[*byte]);
        }
        assert_eq!(peer.received(), added(1), "{framing}");
    }
}

#[test]
fn a_client_is_told_to_go_on_after_the_answers_that_are_due_before() {
    let mut peer = Peer::new(FaceKind::Http);
    let values = many_values(30_000);
    peer.fill(&values);
    peer.block();
    peer.arrive(GET_ARRAY);
    peer.send(post("Expect: 100-continue\r\nContent-Length: 1\r\n").as_bytes());
    assert!(peer.connection.body.is_some(), "the answer before is still under way");
    while peer.has_unsent() {
        peer.allow(50_000);
    }
    let received = peer.take_received();
    let before = received.strip_suffix(CONTINUE).expect("it comes last");
    assert_eq!(http_bodies(before), [array_text(&values) + "\n"]);
    peer.allow(usize::MAX);
    peer.send(b"5");
    assert!(peer.received().starts_with("HTTP/1.1 201 Created\r\n"), "{}", peer.received());
}

#[test]
fn a_refusal_takes_the_place_of_the_word_to_go_on() {
    let expect = "Expect: 100-continue\r\n";
    let rows = [
        (format!("{expect}Content-Length: 1001\r\n"), "413 Content Too Large"),
        (format!("{expect}Transfer-Encoding: gzip\r\n"), "501 Not Implemented"),
        ("Expect: tea\r\nContent-Length: 3\r\n".to_owned(), "417 Expectation Failed"),
    ];
    for (fields, status) in rows {
        let mut peer = Peer::with_limit(FaceKind::Http, REFUSED_ABOVE);
        peer.send(post(&fields).as_bytes());
        let received = peer.received();
        assert!(received.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{fields}: {received}");
        assert!(received.contains("Connection: close\r\n") && peer.is_shut(), "{fields}");
    }
}

#[test]
fn a_server_that_stops_asks_for_no_body() {
    let mut peer = Peer::new(FaceKind::Http);
    peer.arrive(post("Expect: 100-continue\r\nContent-Length: 3\r\n").as_bytes());
    peer.connection.stop();
    peer.run();
    assert!(peer.received().starts_with("HTTP/1.1 503 "), "{}", peer.received());
}

#[test]
fn a_client_that_was_told_to_go_on_and_does_not_is_timed_out() {
    let mut peer = Peer::new(FaceKind::Http);
    peer.send(post("Expect: 100-continue\r\nContent-Length: 3\r\n").as_bytes());
    assert_eq!(peer.take_received(), CONTINUE);
    peer.pass(REQUEST);
    peer.expire();
    assert!(peer.received().starts_with("HTTP/1.1 408 "), "{}", peer.received());
}

#[test]
fn what_is_held_of_a_body_is_counted_until_it_is_done_or_given_up() {
    let half = 40_000;
    for (fields, frame) in [
        (format!("Content-Length: {}\r\n", 2 * half), String::new()),
        ("Transfer-Encoding: chunked\r\n".to_owned(), format!("{:x}\r\n", 2 * half)),
    ] {
        let begin = || {
            let mut peer = Peer::new(FaceKind::Http);
            peer.send((post(&fields) + &frame).as_bytes());
            assert_eq!(peer.connection.buffered_bytes(), 0, "nothing of it is there");
            peer.send(&vec![b' '; half]);
            assert_eq!(peer.connection.buffered_bytes(), half, "{fields}");
            peer.assert_bounded();
            peer
        };
        let mut peer = begin();
        peer.arrive(&vec![b' '; half]);
        peer.arrive(if frame.is_empty() { b"" } else { b"\r\n0\r\n\r\n" });
        let next = loop {
            match peer.connection.drive(&mut peer.cx) {
                Next::Again => {}
                next => break next,
            }
        };
        assert_eq!(next, Next::Work, "it is a large one");
        assert!(peer.connection.buffered_bytes() >= 2 * half, "{fields}");
        let work = peer.connection.take_work().expect("there is work");
        let answer = work(&mut peer.cx.executor);
        peer.connection.on_answer(&mut peer.cx, answer);
        peer.run();
        assert_eq!(peer.connection.buffered_bytes(), 0, "{fields}");

        let mut peer = begin();
        peer.connection.stop();
        peer.run();
        assert!(peer.is_shut(), "it is refused");
        assert_eq!(peer.connection.buffered_bytes(), 0, "{fields}");
    }
}

#[test]
fn a_chunk_too_many_is_refused_when_it_is_announced() {
    let mut peer = Peer::with_limit(FaceKind::Http, REFUSED_ABOVE);
    peer.send(post("Transfer-Encoding: chunked\r\n").as_bytes());
    peer.send(format!("3e8\r\n{}\r\n", " ".repeat(1000)).as_bytes());
    assert_eq!(peer.received(), "");
    peer.send(b"1\r\n");
    assert!(peer.received().starts_with("HTTP/1.1 413 "), "{}", peer.received());
    assert!(peer.is_shut());
}

/// The exchange of a request, and a command whose execution will panic.
fn defective(peer: &mut Peer) -> Answer {
    let exchange = &peer.connection.away.as_ref().expect("there is work").exchange;
    match exchange.try_carry_out(Command::Clear, |_| panic!("on purpose")) {
        Attempt::Answered(answer) => answer,
        Attempt::TooLong(_) => panic!("it is over"),
    }
}

#[test]
fn a_request_that_meets_a_defect_is_answered_500_and_the_last_one() {
    for (method, has_body) in [("DELETE", true), ("HEAD", false)] {
        let mut peer = Peer::new(FaceKind::Http);
        peer.arrive(LIVEZ);
        peer.arrive(b"DELETE /array HTTP/1.1\r\nHost: h\r\n\r\n");
        peer.arrive(LIVEZ);
        assert_eq!(peer.connection.drive(&mut peer.cx), Next::Work);
        if let Some(Away { exchange: Exchange::Http(exchange, _), .. }) = &mut peer.connection.away
        {
            exchange.is_head = method == "HEAD";
        }
        let answer = defective(&mut peer);
        peer.connection.on_answer(&mut peer.cx, answer);
        assert_eq!(peer.run(), Next::Wait);
        let received = peer.received();
        let (before, problem) = received.split_once("HTTP/1.1 500 ").expect("there is an answer");
        assert!(before.ends_with("\r\n\r\nok\n"), "what came before is answered: {before}");
        let (head, body) = problem.split_once("\r\n\r\n").expect("a head has an end");
        assert!(head.starts_with("Internal Server Error\r\n"), "{head}");
        assert!(head.contains("Content-Type: application/problem+json\r\n"), "{head}");
        assert!(head.ends_with("\r\nConnection: close"), "{head}");
        assert_eq!(body.contains("\"status\":500"), has_body, "{method}: {body}");
        assert!(!body.contains("HTTP/1.1"), "what comes after is not answered: {body}");
        assert!(peer.is_shut());
    }
}

#[test]
fn a_line_that_meets_a_defect_closes_the_connection_after_what_came_before() {
    let mut peer = Peer::new(FaceKind::Socket);
    peer.arrive(PING);
    peer.arrive(&clear_and_count(FaceKind::Socket));
    assert_eq!(peer.connection.drive(&mut peer.cx), Next::Work);
    let answer = defective(&mut peer);
    peer.connection.on_answer(&mut peer.cx, answer);
    assert_eq!(peer.run(), Next::Wait);
    assert_eq!(peer.received(), PONG);
    assert!(peer.is_shut());
}

#[test]
fn an_answer_that_meets_a_defect_on_its_way_never_looks_complete() {
    struct Panics;
    impl Read for Panics {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("on purpose")
        }
    }
    for data in [
        ResponseBody::from_reader(Read::chain(&b"part"[..], Panics)),
        ResponseBody::from_reader_and_size(Read::chain(&b"part"[..], Panics), 9),
    ] {
        let mut peer = Peer::new(FaceKind::Http);
        let exchange = http::Exchange { keep_alive: true, ..http::Exchange::REFUSED };
        let response = Response { data, ..Response::text("") };
        peer.connection.begin(Answer::Response(exchange, response), &peer.cx);
        // The event loop catches it and drops the connection.
        assert!(catch_unwind(AssertUnwindSafe(|| peer.run())).is_err());
        let received = peer.received();
        assert!(!received.contains("0\r\n\r\n"), "it looks complete: {received:?}");
    }
}
