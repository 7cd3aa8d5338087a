mod bodies;

use super::*;

use std::cell::Cell;
use std::collections::VecDeque;

use bytes::Bytes;
use rouille::{Response, ResponseBody};

use crate::command::Show;
use crate::store::SortedMultiset;
use crate::wire::http;

const IDLE: Duration = Duration::from_secs(300);
const REQUEST: Duration = Duration::from_secs(10);

/// Room for the head of a response and the frames of chunks, beyond what budgets count exactly.
const OVERHEAD: usize = 1024;

const DATE: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

const PING: &[u8] = b"{\"op\":\"ping\"}\n";
const PONG: &str = "{\"pong\":true}\n";
const GET_ARRAY: &[u8] = b"GET /array HTTP/1.1\r\nHost: localhost\r\n\r\n";
const LIVEZ: &[u8] = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";

// --- What is answered

#[test]
fn lines_are_answered_the_same_however_they_are_split() {
    let session = concat!(
        "[5,3,9]\n",
        "\r\n",
        "{\"op\":\"add\",\"values\":[7,1],\"reply\":\"batch\"}\r\n",
        "{\"op\":\"add\",\"values\":[4],\"reply\":\"array\"}\n",
        "{\"op\":\"sort\"}\n",
        "{\"op\":\"count\"}\n",
        "{\"op\":\"array\"}\n",
        "{\"op\":\"clear\"}\n",
        "[]",
    );
    let expected = concat!(
        "[3,5,9]\n",
        "{\"added\":2,\"count\":5,\"values\":[1,7]}\n",
        "{\"added\":1,\"count\":6,\"values\":[1,3,4,5,7,9]}\n",
        r#"{"error":{"code":"unknown_op","message":"there is no operation \"sort\""}}"#,
        "\n",
        "{\"count\":6}\n",
        "{\"count\":6,\"values\":[1,3,4,5,7,9]}\n",
        "{\"removed\":6}\n",
        "[]\n",
    );
    for_every_split(FaceKind::Socket, session.as_bytes(), expected);
}

#[test]
fn http_is_answered_the_same_however_it_is_split() {
    let session = concat!(
        "POST /array HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n[5,3,9]",
        "GET /array HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\r\n",
        "HEAD /array/count HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /array/count HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "DELETE /array HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    let chunked = |data: &str| format!("{:x}\r\n{data}\r\n0\r\n\r\n", data.len());
    let nothing = "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\
                   \"detail\":\"there is nothing at /nothing; GET / lists what there is\"}\n";
    let json = "Content-Type: application/json\r\n";
    let streamed = format!("{json}Transfer-Encoding: chunked\r\n");
    let array = format!("{json}Sortd-Count: 3\r\nVary: Accept\r\nTransfer-Encoding: chunked\r\n");
    let expected = [
        head("201 Created", &streamed),
        chunked("{\"added\":3,\"count\":3,\"values\":[3,5,9]}\n"),
        head("200 OK", &array),
        chunked("[3,5,9]\n"),
        head("200 OK", &format!("{json}Content-Length: 12\r\n")),
        head(
            "404 Not Found",
            &format!(
                "Content-Type: application/problem+json\r\nContent-Length: {}\r\n",
                nothing.len()
            ),
        ),
        nothing.to_owned(),
        head("200 OK", &format!("{json}Content-Length: 12\r\nConnection: keep-alive\r\n")),
        "{\"count\":3}\n".to_owned(),
        head("200 OK", &format!("{json}Content-Length: 14\r\nConnection: close\r\n")),
        "{\"removed\":3}\n".to_owned(),
    ];
    for_every_split(FaceKind::Http, session.as_bytes(), &expected.concat());
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let mut peer = Peer::new(FaceKind::Socket);
    let requests = "{\"op\":\"add\",\"values\":[1]}\n".repeat(2000);
    assert_eq!(peer.send(requests.as_bytes()), Next::Wait);
    let expected: String = (1..=2000).map(|n| format!("{{\"added\":1,\"count\":{n}}}\n")).collect();
    assert_eq!(peer.received(), expected);

    let mut peer = Peer::new(FaceKind::Http);
    let request =
        "POST /array?reply=count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n5";
    assert_eq!(peer.send(request.repeat(500).as_bytes()), Next::Wait);
    let received = peer.received();
    let counts: Vec<&str> = received.lines().filter(|line| line.starts_with('{')).collect();
    let expected: Vec<String> =
        (1..=500).map(|n| format!("{{\"added\":1,\"count\":{n}}}")).collect();
    assert_eq!(counts, expected);
}

#[test]
fn http_is_kept_open_or_closed_as_the_client_says() {
    let get = |version: &str, connection: &str| {
        format!("GET /livez HTTP/{version}\r\nHost: localhost\r\n{connection}\r\n")
    };
    let cases = [
        (get("1.1", ""), true),
        (get("1.1", "Connection: keep-alive\r\n"), true),
        (get("1.1", "Connection: close\r\n"), false),
        (get("1.0", ""), false),
        (get("1.0", "Connection: keep-alive\r\n"), true),
    ];
    for (request, is_kept) in cases {
        let mut peer = Peer::new(FaceKind::Http);
        assert_eq!(peer.send(request.as_bytes()), Next::Wait);
        assert_eq!(peer.send(LIVEZ), Next::Wait);
        let answers = peer.received().matches("200 OK").count();
        assert_eq!(answers, if is_kept { 2 } else { 1 }, "{request}");
        assert_eq!(peer.is_shut(), !is_kept, "{request}");
        assert_eq!(peer.received().contains("Connection: close"), !is_kept, "{request}");
        assert_eq!(peer.end(), Next::Close, "{request}");
    }
}

#[test]
fn only_readiness_changes_while_the_server_drains() {
    let mut peer = Peer::new(FaceKind::Http);
    let readyz = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    peer.send(readyz);
    assert_eq!(peer.take_received().lines().next(), Some("HTTP/1.1 200 OK"));
    peer.cx.draining = true;
    let cases = [
        (&readyz[..], "HTTP/1.1 503 Service Unavailable"),
        (LIVEZ, "HTTP/1.1 200 OK"),
        (GET_ARRAY, "HTTP/1.1 200 OK"),
        (b"POST /array HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 201 Created"),
        (readyz, "HTTP/1.1 503 Service Unavailable"),
    ];
    for (request, status) in cases {
        assert_eq!(peer.send(request), Next::Wait);
        assert_eq!(peer.take_received().lines().next(), Some(status));
    }
    assert!(!peer.is_shut());
}

// --- Half-closed

#[test]
fn what_came_before_a_half_close_is_answered() {
    let bad_json = |received: &str| received.contains("\"code\":\"bad_json\"");
    let cases = [
        ("nothing", FaceKind::Socket, &b""[..], str::is_empty as fn(&str) -> bool),
        ("a line", FaceKind::Socket, b"[2,1]\n", |received| received == "[1,2]\n"),
        ("a line without its end", FaceKind::Socket, b"[2,1]", |received| received == "[1,2]\n"),
        ("half a line", FaceKind::Socket, b"[2,", bad_json),
        ("white space", FaceKind::Socket, b" \r\n ", str::is_empty),
        ("HTTP, nothing", FaceKind::Http, b"", str::is_empty),
        ("HTTP, a request", FaceKind::Http, LIVEZ, |received| received.ends_with("\r\n\r\nok\n")),
        ("HTTP, half a head", FaceKind::Http, b"GET / HT", |received| !received.contains("200")),
    ];
    for (name, kind, bytes, is_expected) in cases {
        // With the end told by itself, and together with the last bytes.
        for at_once in [false, true] {
            let mut peer = Peer::new(kind);
            if at_once {
                peer.stream().incoming.push_back(Incoming::Bytes(Bytes::from_static(bytes)));
            } else {
                assert_eq!(peer.send(bytes), Next::Wait, "{name}");
            }
            assert_eq!(peer.end(), Next::Close, "{name}");
            assert!(is_expected(&peer.received()), "{name}: {:?}", peer.received());
        }
    }
}

#[test]
fn a_half_closed_client_gets_all_answers_before_the_end() {
    let values = many_values(10_000);
    for kind in [FaceKind::Socket, FaceKind::Http] {
        let mut peer = Peer::new(kind);
        peer.fill(&values);
        peer.block();
        peer.send(&get_array(kind).repeat(3));
        assert_eq!(peer.end(), Next::Wait, "it cannot write");
        let mut next = Next::Wait;
        while next != Next::Close {
            next = peer.allow(50_000);
        }
        assert_eq!(peer.received_arrays(kind), vec![array_text(&values); 3]);
    }
}

// --- Refused

#[test]
fn after_a_refusal_what_comes_is_dropped() {
    for refusal in refusals() {
        let mut peer = refusal.peer();
        let answer = peer.received();
        assert!(answer.contains(refusal.expected), "{}: {answer:?}", refusal.name);
        assert!(peer.is_shut(), "{}", refusal.name);
        for request in [PING, LIVEZ, b"\n\n", &[b'x'; 100_000]] {
            assert_eq!(peer.send(request), Next::Wait, "{}", refusal.name);
        }
        assert!(peer.connection.stream.incoming.is_empty(), "{}: it was not read", refusal.name);
        assert_eq!(peer.received(), answer, "{}", refusal.name);
        assert_eq!(peer.end(), Next::Close, "{}", refusal.name);
    }
}

#[test]
fn after_a_refusal_only_so_much_is_dropped() {
    for refusal in refusals() {
        let mut peer = refusal.peer();
        let before = peer.connection.stream.taken;
        assert_eq!(peer.send(&vec![b'x'; LINGER_BYTES - 1]), Next::Wait, "{}", refusal.name);
        assert_eq!(peer.send(b"xx"), Next::Close, "{}", refusal.name);
        assert!(peer.connection.stream.taken - before <= LINGER_BYTES + 1, "{}", refusal.name);

        let mut peer = refusal.peer();
        let before = peer.connection.stream.taken;
        assert_eq!(peer.send(&vec![b'x'; 8 * LINGER_BYTES]), Next::Close, "{}", refusal.name);
        let taken = peer.connection.stream.taken - before;
        assert!(taken <= LINGER_BYTES + TURN_OUTPUT_BYTES, "{}: {taken}", refusal.name);
    }
}

#[test]
fn after_a_refusal_the_client_has_only_so_much_time() {
    for refusal in refusals() {
        let mut peer = refusal.peer();
        assert_eq!(peer.time_left(), LINGER_TIME, "{}", refusal.name);
        peer.pass(LINGER_TIME / 2);
        assert_eq!(peer.send(b"more"), Next::Wait);
        assert_eq!(peer.time_left(), LINGER_TIME / 2, "more bytes give no more time");
        peer.pass(LINGER_TIME / 2);
        assert_eq!(peer.expire(), Next::Close, "{}", refusal.name);
    }
}

#[test]
fn a_refusal_that_cannot_be_sent_yet_is_sent_first() {
    for refusal in refusals() {
        let mut peer = refusal.unsent();
        peer.block();
        assert_eq!(peer.send(&refusal.request), Next::Wait, "{}", refusal.name);
        while !peer.received().contains(refusal.expected) {
            assert!(!peer.is_shut(), "{}", refusal.name);
            assert_eq!(peer.allow(1), Next::Wait, "{}", refusal.name);
        }
        peer.allow(OVERHEAD);
        assert!(peer.is_shut(), "{}", refusal.name);
    }
}

#[test]
fn a_connection_too_many_is_told_so() {
    let cases = [(FaceKind::Socket, "\"too_many_connections\""), (FaceKind::Http, "HTTP/1.1 503 ")];
    for (kind, expected) in cases {
        let mut peer = Peer::new(kind);
        let Peer { connection, cx, .. } = &mut peer;
        connection.refuse(cx, Error::new(ErrorCode::TooManyConnections, "no room"));
        assert_eq!(peer.send(PING), Next::Wait);
        assert!(peer.received().contains(expected), "{:?}", peer.received());
        assert!(peer.is_shut());
        assert_eq!(peer.end(), Next::Close);
    }
}

// --- Bounded

#[test]
fn a_slow_reader_holds_little_and_gets_everything_byte_by_byte() {
    let values = many_values(5_000);
    for (request, kind) in big_requests() {
        let mut peer = Peer::new(kind);
        peer.fill(&values);
        peer.block();
        assert_eq!(peer.send(request), Next::Wait);
        while peer.has_unsent() {
            peer.assert_bounded();
            assert_eq!(peer.allow(1), Next::Wait);
        }
        assert!(peer.received_arrays(kind) == [array_text(&values)]);
    }
}

#[test]
fn a_slow_reader_is_not_listened_to() {
    let values = many_values(7_000);
    for kind in [FaceKind::Socket, FaceKind::Http] {
        let mut peer = Peer::new(kind);
        peer.fill(&values);
        peer.block();
        // All of it arrives before the client takes anything: no edge will tell of it again.
        let requests = 10;
        assert_eq!(peer.send(&padded(kind, 16 * 1024).repeat(requests)), Next::Wait);
        while peer.has_unsent() {
            peer.assert_bounded();
            assert_eq!(peer.allow(40_000), Next::Wait);
        }
        assert!(peer.connection.stream.incoming.is_empty(), "something was left behind");
        assert!(peer.received_arrays(kind) == vec![array_text(&values); requests]);
    }
}

#[test]
fn many_small_answers_to_a_slow_reader_are_bounded_too() {
    for (kind, request) in [(FaceKind::Socket, PING), (FaceKind::Http, LIVEZ)] {
        let mut peer = Peer::new(kind);
        peer.block();
        let requests = 20_000;
        assert_eq!(peer.send(&request.repeat(requests)), Next::Wait);
        peer.assert_bounded();
        let taken = peer.connection.stream.taken;
        peer.touch();
        assert_eq!(peer.run(), Next::Wait);
        assert_eq!(peer.connection.stream.taken, taken, "it reads on");
        assert_eq!(peer.allow(usize::MAX), Next::Wait);
        let answer = if kind == FaceKind::Socket { PONG } else { "ok\n" };
        assert_eq!(peer.received().matches(answer).count(), requests);
    }
}

#[test]
fn an_idle_connection_holds_no_buffers() {
    let values = many_values(5_000);
    for (request, kind) in
        [(&b"{\"op\":\"array\"}\n"[..], FaceKind::Socket), (GET_ARRAY, FaceKind::Http)]
    {
        let mut peer = Peer::new(kind);
        peer.fill(&values);
        assert_eq!(peer.send(request), Next::Wait);
        let Connection { input, output, body, .. } = &peer.connection;
        assert_eq!((input.capacity(), output.capacity(), body.is_none()), (0, 0, true));
    }
}

#[test]
fn one_turn_reads_no_more_than_its_budget() {
    for kind in [FaceKind::Socket, FaceKind::Http] {
        for request in [padded(kind, 1000), padded(kind, 60_000)] {
            let mut peer = Peer::new(kind);
            let bytes = request.repeat(200_000 / request.len());
            peer.arrive(&bytes);
            let mut turns = 0;
            loop {
                let before = peer.connection.stream.taken;
                let next = peer.drive();
                let taken = peer.connection.stream.taken - before;
                assert!(taken <= TURN_INPUT_BYTES, "{taken} bytes");
                turns += 1;
                if next == Next::Wait {
                    break;
                }
                assert_eq!(next, Next::Again);
            }
            assert!(turns >= bytes.len() / TURN_INPUT_BYTES, "{turns} turns");
            assert_eq!(peer.connection.stream.taken, bytes.len());
        }
    }
}

#[test]
fn one_turn_writes_no_more_than_its_budget() {
    let values = many_values(15_000);
    let pipelined = [(&b"[]\n{\"op\":\"array\"}\n"[..], FaceKind::Socket)];
    for (request, kind) in big_requests().into_iter().chain(pipelined) {
        let mut peer = Peer::new(kind);
        peer.fill(&values);
        peer.arrive(request);
        loop {
            let before = peer.connection.stream.written.len();
            let next = peer.drive();
            let written = peer.connection.stream.written.len() - before;
            assert!(written <= TURN_OUTPUT_BYTES + OVERHEAD, "{written} bytes");
            if next == Next::Wait {
                break;
            }
            assert_eq!(next, Next::Again);
        }
        let arrays = peer.received_arrays(kind);
        assert!(!arrays.is_empty() && arrays.iter().all(|array| *array == array_text(&values)));
    }
}

#[test]
fn one_turn_of_small_arrays_writes_no_more_than_its_budget() {
    let mut peer = Peer::new(FaceKind::Socket);
    let values = many_values(500);
    peer.fill(&values);
    peer.arrive(&b"[]\n".repeat(200));
    let mut next = Next::Again;
    while next == Next::Again {
        let before = peer.connection.stream.written.len();
        next = peer.drive();
        let written = peer.connection.stream.written.len() - before;
        assert!(written <= TURN_OUTPUT_BYTES + OVERHEAD, "{written} bytes");
    }
    assert!(peer.received_arrays(FaceKind::Socket) == vec![array_text(&values); 200]);
}

#[test]
fn one_turn_drops_no_more_than_its_budget() {
    for refusal in refusals() {
        let mut peer = refusal.peer();
        peer.arrive(&vec![b'x'; LINGER_BYTES / 2]);
        let mut next = Next::Again;
        while next == Next::Again {
            let before = peer.connection.stream.taken;
            next = peer.drive();
            let taken = peer.connection.stream.taken - before;
            assert!(taken <= 2 * TURN_OUTPUT_BYTES, "{}: {taken} bytes", refusal.name);
        }
        assert_eq!(next, Next::Wait, "{}", refusal.name);
    }
}

// --- On time

#[test]
fn an_idle_client_has_the_idle_time_from_its_last_byte() {
    let cases: [(FaceKind, &[&[u8]]); 2] =
        [(FaceKind::Socket, &[PING, b"\n", b"\r\n", b" \n"]), (FaceKind::Http, &[LIVEZ, b"\r\n"])];
    for (kind, sent) in cases {
        let mut peer = Peer::new(kind);
        assert_eq!(peer.run(), Next::Wait);
        assert_eq!(peer.time_left(), IDLE);
        for bytes in sent {
            peer.pass(Duration::from_secs(100));
            assert_eq!(peer.time_left(), IDLE - Duration::from_secs(100));
            assert_eq!(peer.send(bytes), Next::Wait);
            assert_eq!(peer.time_left(), IDLE, "after {bytes:?}");
        }
        let received = peer.received();
        peer.pass(IDLE);
        assert_eq!(peer.expire(), Next::Close);
        assert_eq!(peer.received(), received, "there is nothing to say");
    }
}

#[test]
fn a_spurious_wake_up_gives_no_more_time() {
    for kind in [FaceKind::Socket, FaceKind::Http] {
        let mut peer = Peer::new(kind);
        peer.run();
        peer.pass(Duration::from_secs(100));
        peer.touch();
        assert_eq!(peer.run(), Next::Wait);
        assert_eq!(peer.time_left(), IDLE - Duration::from_secs(100));
    }
}

#[test]
fn a_head_or_line_has_its_time_from_its_first_byte() {
    let cases = [
        ("a line", FaceKind::Socket, &b"[1"[..], &b",2"[..], "\"code\":\"timeout\""),
        ("a line after another", FaceKind::Socket, b"[1]\n[1", b",2", "\"code\":\"timeout\""),
        ("a head", FaceKind::Http, b"GET / HT", b"TP/1.1\r\nA:", "HTTP/1.1 408 Request Timeout"),
        (
            "a head after another request",
            FaceKind::Http,
            b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\nGET / HT",
            b"TP/1.1\r\n",
            "HTTP/1.1 408 Request Timeout",
        ),
    ];
    for (name, kind, start, more, expected) in cases {
        let mut peer = Peer::new(kind);
        peer.pass(Duration::from_secs(100));
        assert_eq!(peer.send(start), Next::Wait, "{name}");
        assert_eq!(peer.time_left(), REQUEST, "{name}");
        peer.pass(REQUEST / 2);
        assert_eq!(peer.send(more), Next::Wait, "{name}");
        assert_eq!(peer.time_left(), REQUEST / 2, "{name}: more bytes give no more time");
        peer.pass(REQUEST / 2);
        assert_eq!(peer.expire(), Next::Wait, "{name}");
        assert!(peer.received().contains(expected), "{name}: {:?}", peer.received());
        assert!(peer.is_shut(), "{name}");
        assert_eq!(peer.time_left(), LINGER_TIME, "{name}");
    }
}

#[test]
fn the_next_request_and_the_next_reply_have_their_own_time() {
    let cases = [
        (FaceKind::Socket, &b"[1"[..], &b"]\n[2"[..]),
        (FaceKind::Http, b"GET /livez HT", b"TP/1.1\r\nHost: h\r\n\r\nGET"),
    ];
    for (kind, first, second) in cases {
        let mut peer = Peer::new(kind);
        peer.send(first);
        peer.pass(REQUEST / 2);
        assert_eq!(peer.send(second), Next::Wait);
        assert_eq!(peer.time_left(), REQUEST, "{kind:?}: the second one has just begun");
    }
    for kind in [FaceKind::Socket, FaceKind::Http] {
        let mut peer = Peer::new(kind);
        peer.fill(&many_values(10_000));
        peer.block();
        peer.send(&get_array(kind).repeat(2));
        peer.pass(REQUEST / 2);
        // All of the first reply and some of the second.
        assert_eq!(peer.allow(250_000), Next::Wait);
        assert_eq!(peer.time_left(), REQUEST, "{kind:?}: the second one has just begun");
    }
}

#[test]
fn a_line_of_any_length_has_no_more_time_than_a_short_one() {
    let mut peer = Peer::new(FaceKind::Socket);
    peer.send(b"[");
    peer.pass(REQUEST / 2);
    assert_eq!(peer.send(&b"1,".repeat(100_000)), Next::Wait);
    assert_eq!(peer.time_left(), REQUEST / 2);
}

#[test]
fn a_body_has_a_second_more_for_each_64_kib() {
    let mut peer = Peer::new(FaceKind::Http);
    let length = 400_000;
    let head = format!("POST /array HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n");
    peer.send(head.as_bytes());
    peer.pass(REQUEST / 2);
    assert_eq!(peer.send(b"\r\n"), Next::Wait);
    assert_eq!(peer.time_left(), REQUEST, "the body has as long again");
    for moved in 1..=5 {
        peer.pass(Duration::from_millis(500));
        assert_eq!(peer.send(&[b' '; 64 * 1024]), Next::Wait);
        assert_eq!(peer.time_left(), REQUEST + Duration::from_millis(500) * moved);
    }
    peer.pass(peer.time_left());
    assert_eq!(peer.expire(), Next::Wait);
    assert!(peer.received().starts_with("HTTP/1.1 408 "), "{:?}", peer.received());
    assert!(peer.is_shut());
}

#[test]
fn a_reply_has_a_second_more_for_each_64_kib_and_ends_when_stuck() {
    for kind in [FaceKind::Socket, FaceKind::Http] {
        let mut peer = Peer::new(kind);
        peer.fill(&many_values(30_000));
        peer.block();
        assert_eq!(peer.send(&get_array(kind)), Next::Wait);
        assert_eq!(peer.time_left(), REQUEST);
        for moved in 1..=4 {
            peer.pass(Duration::from_millis(500));
            assert_eq!(peer.allow(64 * 1024), Next::Wait);
            assert_eq!(peer.time_left(), REQUEST + Duration::from_millis(500) * moved);
        }
        let sent = peer.connection.stream.written.len();
        peer.pass(peer.time_left());
        assert_eq!(peer.expire(), Next::Close);
        assert_eq!(peer.connection.stream.written.len(), sent, "nothing can be said in the middle");
    }
}

#[test]
fn a_reply_that_arrives_makes_the_client_idle() {
    for kind in [FaceKind::Socket, FaceKind::Http] {
        let mut peer = Peer::new(kind);
        peer.fill(&many_values(5_000));
        peer.block();
        peer.send(&get_array(kind));
        peer.pass(REQUEST / 2);
        assert_eq!(peer.allow(usize::MAX), Next::Wait);
        assert_eq!(peer.time_left(), IDLE);
    }
}

// --- Stopped

#[test]
fn an_idle_connection_stops_at_once() {
    for (kind, before) in [
        (FaceKind::Socket, &b""[..]),
        (FaceKind::Socket, PING),
        (FaceKind::Http, b""),
        (FaceKind::Http, LIVEZ),
        (FaceKind::Http, b"\r\n"),
    ] {
        let mut peer = Peer::new(kind);
        peer.send(before);
        let received = peer.received();
        peer.connection.stop();
        assert_eq!(peer.run(), Next::Close, "after {before:?}");
        assert_eq!(peer.received(), received);
    }
}

#[test]
fn what_was_received_whole_is_answered_and_the_rest_refused() {
    let stopping = "\"code\":\"shutting_down\"";
    let unavailable = "HTTP/1.1 503 Service Unavailable";
    let half_a_body = b"POST /array HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n[1,2";
    let no_body = b"POST /array HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n";
    let half_a_head = b"GET / HTTP/1.1\r\nHo";
    // What came before the order to stop and was read; what came and was not; what must be said.
    let cases = [
        ("a line", FaceKind::Socket, &b""[..], PING, &[PONG][..]),
        ("two lines", FaceKind::Socket, b"", b"[1]\n[2]\n", &["[1]\n", "[1,2]\n"]),
        ("the rest of a line", FaceKind::Socket, b"[2", b",1]\n", &["[1,2]\n"]),
        ("half a line", FaceKind::Socket, b"[1", b"", &[stopping]),
        ("a line and a half", FaceKind::Socket, b"", b"[1]\n[2", &["[1]\n", stopping]),
        ("a request", FaceKind::Http, b"", LIVEZ, &["HTTP/1.1 200 OK"]),
        ("half a head", FaceKind::Http, half_a_head, b"", &[unavailable]),
        ("a head without its body", FaceKind::Http, no_body, b"", &[unavailable]),
        ("half a body", FaceKind::Http, b"", half_a_body, &[unavailable]),
    ];
    for (name, kind, read, unread, expected) in cases {
        let mut peer = Peer::new(kind);
        peer.send(read);
        assert_eq!(peer.received(), "", "{name}");
        peer.stream().incoming.push_back(Incoming::Bytes(Bytes::from_static(unread)));
        peer.connection.stop();
        assert_eq!(peer.run(), Next::Wait, "{name}");
        let received = peer.received();
        let mut rest = &received[..];
        for part in expected {
            let at = rest.find(part).unwrap_or_else(|| panic!("{name}: no {part:?} in {rest:?}"));
            rest = &rest[at + part.len()..];
        }
        assert!(peer.is_shut(), "{name}");
        assert_eq!(peer.send(PING), Next::Wait, "{name}");
        assert_eq!(peer.received(), received, "{name}: something more was answered");
        assert_eq!(peer.end(), Next::Close, "{name}");
    }
}

#[test]
fn a_reply_in_mid_stream_is_finished_and_so_are_those_behind_it() {
    let values = many_values(10_000);
    for (kind, requests) in
        [(FaceKind::Socket, 1), (FaceKind::Socket, 3), (FaceKind::Http, 1), (FaceKind::Http, 3)]
    {
        let mut peer = Peer::new(kind);
        peer.fill(&values);
        peer.block();
        assert_eq!(peer.send(&get_array(kind).repeat(requests)), Next::Wait);
        peer.allow(100_000);
        peer.connection.stop();
        assert_eq!(peer.run(), Next::Wait);
        let mut next = Next::Wait;
        while peer.has_unsent() {
            assert_eq!((next, peer.is_shut()), (Next::Wait, false));
            peer.assert_bounded();
            next = peer.allow(50_000);
        }
        assert!(next == Next::Close || peer.is_shut(), "it does not stop");
        assert!(peer.received_arrays(kind) == vec![array_text(&values); requests]);
    }
}

#[test]
fn a_client_that_goes_on_sending_is_not_heard_for_ever() {
    for kind in [FaceKind::Socket, FaceKind::Http] {
        let mut peer = Peer::new(kind);
        let request = padded(kind, 16 * 1024 - 1);
        peer.connection.stop();
        let sent = request.repeat(2 * STOP_BYTES / request.len());
        let before = peer.connection.stream.taken;
        peer.arrive(&sent);
        let mut turns = 0;
        while peer.connection.state != State::Closing && !peer.is_shut() {
            assert_ne!(peer.drive(), Next::Close, "a reset would eat the answers");
            turns += 1;
            assert!(turns < 10 * STOP_BYTES / TURN_INPUT_BYTES, "it is heard for ever");
        }
        let taken = peer.connection.stream.taken - before;
        assert!(taken <= STOP_BYTES + LINGER_BYTES + TURN_INPUT_BYTES, "{taken} bytes");
    }
}

#[test]
fn a_request_too_long_to_be_heard_out_is_told_that_the_server_stops() {
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", 2 * STOP_BYTES);
    let cases = [
        (FaceKind::Socket, "[1,".to_owned(), "\"code\":\"shutting_down\""),
        (FaceKind::Http, head, "HTTP/1.1 503 Service Unavailable"),
    ];
    for (kind, start, expected) in cases {
        let mut peer = Peer::new(kind);
        peer.send(start.as_bytes());
        peer.connection.stop();
        peer.arrive(&vec![b' '; STOP_BYTES + LINGER_BYTES / 2]);
        let next = peer.run();
        assert!(peer.received().contains(expected), "{kind:?}: {:?}", peer.received());
        assert!(peer.is_shut(), "{kind:?}: a reset would eat the answer");
        assert_eq!(next, Next::Wait, "{kind:?}");
    }
}

// --- What is done elsewhere

fn clear_and_count(kind: FaceKind) -> Vec<u8> {
    match kind {
        FaceKind::Socket => b"{\"op\":\"clear\"}\n{\"op\":\"count\"}\n".to_vec(),
        FaceKind::Http => b"DELETE /array HTTP/1.1\r\nHost: h\r\n\r\n\
            GET /array/count HTTP/1.1\r\nHost: h\r\n\r\n"
            .to_vec(),
    }
}

#[test]
fn slow_work_is_handed_out_and_what_is_behind_it_waits() {
    for kind in [FaceKind::Socket, FaceKind::Http] {
        let mut peer = Peer::new(kind);
        peer.fill(&[1, 2]);
        peer.arrive(&clear_and_count(kind));
        assert_eq!(peer.connection.drive(&mut peer.cx), Next::Work);
        let work = peer.connection.take_work().expect("there is work");
        peer.arrive(PING);
        assert_eq!(peer.connection.drive(&mut peer.cx), Next::Wait);
        peer.connection.stop();
        assert_eq!(peer.connection.drive(&mut peer.cx), Next::Wait, "the answer is waited for");
        assert_eq!(peer.received(), "", "nothing overtakes it");
        let answer = work(&mut peer.cx.executor);
        peer.connection.on_answer(&peer.cx, answer);
        peer.run();
        let received = peer.received();
        let (removed, count) = (received.find("{\"removed\":2}"), received.find("{\"count\":0}"));
        assert!(removed.is_some() && count > removed, "{received}");
    }
}

#[test]
fn work_without_room_is_refused_and_the_connection_goes_on() {
    for (kind, busy) in
        [(FaceKind::Socket, "\"code\":\"busy\""), (FaceKind::Http, "Retry-After: 1\r\n")]
    {
        let mut peer = Peer::new(kind);
        peer.fill(&[1, 2]);
        peer.arrive(&clear_and_count(kind));
        assert_eq!(peer.connection.drive(&mut peer.cx), Next::Work);
        assert!(peer.connection.take_work().is_some());
        peer.connection.on_busy(&peer.cx);
        assert_eq!(peer.run(), Next::Wait);
        let received = peer.received();
        assert!(received.contains(busy) && received.contains("{\"count\":2}"), "{received}");
    }
}

#[test]
fn nothing_more_is_read_while_too_much_is_buffered() {
    for kind in [FaceKind::Socket, FaceKind::Http] {
        let mut peer = Peer::new(kind);
        peer.cx.limits.max_buffered_bytes = 1000;
        peer.cx.buffered.store(1001, Ordering::Relaxed);
        peer.arrive(&clear_and_count(kind));
        assert_eq!(peer.drive(), Next::Pause);
        assert_eq!((peer.received().len(), peer.connection.buffered_bytes()), (0, 0));
        peer.cx.buffered.store(1000, Ordering::Relaxed);
        assert_eq!(peer.run(), Next::Wait);
        assert!(peer.received().contains("{\"count\":0}"), "{}", peer.received());
    }
}

#[test]
fn only_the_first_order_to_stop_counts() {
    let mut peer = Peer::new(FaceKind::Socket);
    peer.block();
    peer.send(PING);
    peer.connection.stop();
    assert_eq!(peer.run(), Next::Wait);
    peer.connection.stop();
    assert_eq!(peer.allow(100), Next::Wait);
    assert_eq!(peer.received(), PONG);
    assert!(peer.is_shut());
    peer.connection.stop();
    assert_eq!(peer.run(), Next::Wait);
    assert_eq!(peer.end(), Next::Close);
}

// --- Broken

#[test]
fn an_error_of_the_stream_ends_the_connection() {
    for kind in [FaceKind::Socket, FaceKind::Http] {
        let mut peer = Peer::new(kind);
        peer.stream().incoming.push_back(Incoming::Fails(io::ErrorKind::ConnectionReset));
        assert_eq!(peer.run(), Next::Close, "an error of a read");

        let mut peer = Peer::new(kind);
        peer.stream().write_error = Some(io::ErrorKind::BrokenPipe);
        assert_eq!(peer.send(&get_array(kind)), Next::Close, "an error of a write");

        let mut peer = Peer::new(kind);
        peer.stream().most_a_write = 0;
        assert_eq!(peer.send(&get_array(kind)), Next::Close, "a write of nothing");
    }
    for refusal in refusals() {
        let mut peer = refusal.unsent();
        peer.stream().shutdown_fails = true;
        assert_eq!(peer.send(&refusal.request), Next::Close, "an error of the half-close");

        let mut peer = refusal.peer();
        peer.stream().incoming.push_back(Incoming::Fails(io::ErrorKind::ConnectionReset));
        peer.touch();
        assert_eq!(peer.run(), Next::Close, "an error of a read that is dropped");
    }
}

#[test]
fn an_interruption_ends_nothing() {
    let mut peer = Peer::new(FaceKind::Socket);
    let interrupted = || Incoming::Fails(io::ErrorKind::Interrupted);
    peer.stream().write_error = Some(io::ErrorKind::Interrupted);
    peer.stream().incoming.extend([
        interrupted(),
        Incoming::Bytes(Bytes::from_static(PING)),
        interrupted(),
    ]);
    assert_eq!(peer.run(), Next::Wait);
    assert_eq!(peer.received(), PONG);

    let mut peer = Peer::new(FaceKind::Socket);
    peer.send(b"what?");
    peer.stream().incoming.extend([interrupted(), Incoming::End]);
    peer.touch();
    assert_eq!(peer.run(), Next::Close);
}

#[test]
fn an_answer_that_cannot_be_completed_cuts_the_connection() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::InvalidData.into())
        }
    }
    let cases = [
        ("a chunked body that fails", ResponseBody::from_reader(Read::chain(&b"part"[..], Fails))),
        (
            "a body that fails",
            ResponseBody::from_reader_and_size(Read::chain(&b"part"[..], Fails), 9),
        ),
        ("a body that is too short", ResponseBody::from_reader_and_size(&b"part"[..], 9)),
    ];
    for (name, data) in cases {
        let mut peer = Peer::new(FaceKind::Http);
        let response = Response { data, ..Response::text("") };
        let exchange = http::Exchange { keep_alive: true, ..http::Exchange::REFUSED };
        let Peer { connection, cx, .. } = &mut peer;
        connection.begin(Answer::Response(exchange, response), cx);
        peer.arrive(LIVEZ);
        assert_eq!(peer.run(), Next::Close, "{name}");
        let received = peer.received();
        assert!(!received.contains("0\r\n\r\n"), "{name}: it looks complete: {received:?}");
        assert!(!received.contains("ok\n"), "{name}: the next request was answered");
    }
}

#[test]
fn a_body_that_is_longer_than_announced_is_cut_to_its_length() {
    let mut peer = Peer::new(FaceKind::Http);
    let data = ResponseBody::from_reader_and_size(&b"12345and more"[..], 5);
    let exchange = http::Exchange { keep_alive: true, ..http::Exchange::REFUSED };
    let Peer { connection, cx, .. } = &mut peer;
    connection.begin(Answer::Response(exchange, Response { data, ..Response::text("") }), cx);
    peer.arrive(LIVEZ);
    assert_eq!(peer.run(), Next::Wait);
    assert!(peer.received().contains("\r\n\r\n12345HTTP/1.1 200 OK\r\n"), "{:?}", peer.received());
}

// --- The other side

/// A stream that does what it is told: no bytes but those that came in, no room but what was given.
struct FakeStream {
    incoming: VecDeque<Incoming>,
    /// Bytes read so far.
    taken: usize,
    written: Vec<u8>,
    /// How many more bytes can be written until somebody makes room.
    room: usize,
    most_a_write: usize,
    /// The next write fails so, once.
    write_error: Option<io::ErrorKind>,
    shutdown_fails: bool,
    is_shut: Cell<bool>,
}

enum Incoming {
    Bytes(Bytes),
    /// The other side has sent its last byte.
    End,
    /// A read fails so, once.
    Fails(io::ErrorKind),
}

impl Read for FakeStream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        assert!(!out.is_empty(), "a read of nothing looks like the end");
        match self.incoming.front_mut() {
            None => Err(io::ErrorKind::WouldBlock.into()),
            Some(Incoming::End) => Ok(0),
            Some(Incoming::Fails(kind)) => {
                let error = (*kind).into();
                self.incoming.pop_front();
                Err(error)
            }
            Some(Incoming::Bytes(bytes)) => {
                let n = bytes.len().min(out.len());
                out[..n].copy_from_slice(&bytes[..n]);
                bytes.advance(n);
                if bytes.is_empty() {
                    self.incoming.pop_front();
                }
                self.taken += n;
                if n == 0 { self.read(out) } else { Ok(n) }
            }
        }
    }
}

impl Write for FakeStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.is_shut.get(), "it writes after it has said that it will not");
        if let Some(kind) = self.write_error.take() {
            return Err(kind.into());
        }
        if self.room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = bytes.len().min(self.room).min(self.most_a_write);
        self.written.extend_from_slice(&bytes[..n]);
        self.room -= n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for FakeStream {
    fn shutdown_write(&self) -> io::Result<()> {
        if self.shutdown_fails {
            return Err(io::ErrorKind::NotConnected.into());
        }
        self.is_shut.set(true);
        Ok(())
    }
}

/// A connection, its client, and the loop between them. Tells of readiness at the edge only: when
/// bytes arrive, and when room is made where there was none.
struct Peer {
    connection: Connection<FakeStream>,
    cx: Context,
}

impl Peer {
    fn new(kind: FaceKind) -> Peer {
        Peer::with_limit(kind, 4 * STOP_BYTES)
    }

    fn with_limit(kind: FaceKind, max_request_bytes: usize) -> Peer {
        let limits = Limits {
            max_request_bytes,
            max_buffered_bytes: usize::MAX,
            idle_timeout: IDLE,
            request_timeout: REQUEST,
        };
        let now = Instant::now();
        let mut cx = Context::new(Executor::new(SortedMultiset::new().writer()), limits, now);
        cx.date = DATE.to_owned();
        let stream = FakeStream {
            incoming: VecDeque::new(),
            taken: 0,
            written: Vec::new(),
            room: usize::MAX,
            most_a_write: usize::MAX,
            write_error: None,
            shutdown_fails: false,
            is_shut: Cell::new(false),
        };
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        Peer { connection: Connection::new(stream, kind, nobody, limits, now), cx }
    }

    fn stream(&mut self) -> &mut FakeStream {
        self.connection.stream_mut()
    }

    fn fill(&mut self, values: &[i64]) {
        let values = values.to_vec();
        self.cx.executor.execute(Command::Add { values, show: Show::Count });
    }

    /// Drives once; what would be done elsewhere is done at once.
    fn drive(&mut self) -> Next {
        match self.connection.drive(&mut self.cx) {
            Next::Work => {
                let work = self.connection.take_work().expect("there is work");
                let answer = work(&mut self.cx.executor);
                self.connection.on_answer(&self.cx, answer);
                Next::Again
            }
            next => next,
        }
    }

    /// Drives until it waits or closes.
    fn run(&mut self) -> Next {
        for _ in 0..100_000 {
            let next = self.drive();
            if next != Next::Again {
                return next;
            }
        }
        panic!("it goes on for ever");
    }

    /// Bytes arrive.
    fn arrive(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.stream().incoming.push_back(Incoming::Bytes(Bytes::copy_from_slice(bytes)));
            self.touch();
        }
    }

    /// Bytes arrive, and the connection makes of them what it can.
    fn send(&mut self, bytes: &[u8]) -> Next {
        self.arrive(bytes);
        self.run()
    }

    /// The client sends no more.
    fn end(&mut self) -> Next {
        self.stream().incoming.push_back(Incoming::End);
        self.touch();
        self.run()
    }

    /// The loop says that there may be something to read.
    fn touch(&mut self) {
        self.connection.on_ready(true, false);
    }

    /// From now on the client takes nothing.
    fn block(&mut self) {
        self.stream().room = 0;
    }

    /// The client takes so many bytes more.
    fn allow(&mut self, bytes: usize) -> Next {
        let was_blocked = self.stream().room == 0;
        self.stream().room = self.stream().room.saturating_add(bytes);
        if was_blocked {
            self.connection.on_ready(false, true);
        }
        self.run()
    }

    fn pass(&mut self, time: Duration) {
        self.cx.now += time;
    }

    fn time_left(&self) -> Duration {
        let deadline = self.connection.deadline(&self.cx.limits);
        deadline.saturating_duration_since(self.cx.now)
    }

    /// The deadline comes.
    fn expire(&mut self) -> Next {
        assert_eq!(self.time_left(), Duration::ZERO, "it is not yet time");
        match self.connection.on_deadline(&mut self.cx) {
            Next::Again => self.run(),
            next => next,
        }
    }

    fn is_shut(&self) -> bool {
        self.connection.stream.is_shut.get()
    }

    /// Whether there is something to write, or to be pulled and then written.
    fn has_unsent(&self) -> bool {
        self.connection.body.is_some() || !self.connection.output.is_empty()
    }

    fn received(&self) -> String {
        String::from_utf8(self.connection.stream.written.clone()).expect("answers are UTF-8")
    }

    fn take_received(&mut self) -> String {
        let received = self.received();
        self.stream().written.clear();
        received
    }

    /// The arrays in answers that show one each.
    fn received_arrays(&self, kind: FaceKind) -> Vec<String> {
        let received = self.received();
        let bodies = match kind {
            FaceKind::Socket => received.lines().map(str::to_owned).collect(),
            FaceKind::Http => http_bodies(&received),
        };
        let array = |body: &String| {
            let (start, end) = (body.find('[')?, body.rfind(']')?);
            Some(body[start..=end].to_owned())
        };
        bodies.iter().map(|body| array(body).expect("each answer shows an array")).collect()
    }

    fn assert_bounded(&self) {
        let Connection { input, output, .. } = &self.connection;
        let most = HIGH_WATER_BYTES + TURN_OUTPUT_BYTES + OVERHEAD;
        assert!(output.len() <= most, "{} bytes of output", output.len());
        assert!(output.capacity() <= 4 * most, "room for {} bytes of output", output.capacity());
        let most = 2 * TURN_INPUT_BYTES;
        assert!(input.len() <= most, "{} bytes of input", input.len());
        assert!(input.capacity() <= 4 * most, "room for {} bytes of input", input.capacity());
    }
}

/// A request after which there is no other one.
struct Refused {
    name: &'static str,
    kind: FaceKind,
    request: Vec<u8>,
    expected: &'static str,
}

/// The longest line or body where something is refused.
const REFUSED_ABOVE: usize = 1000;

fn refusals() -> [Refused; 7] {
    let too_long = &[&b"["[..], &[b' '; REFUSED_ABOVE]].concat();
    let too_large = b"POST /array HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n";
    let beyond = b"POST /array HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999\r\n\r\n";
    let refused = |name, kind, request: &[u8], expected| {
        let request = request.to_vec();
        Refused { name, kind, request, expected }
    };
    [
        refused("an unknown dialect", FaceKind::Socket, b"hello\n", "\"code\":\"bad_json\""),
        refused("HTTP on the socket", FaceKind::Socket, LIVEZ, "\"code\":\"bad_json\""),
        refused("a line too long", FaceKind::Socket, too_long, "\"code\":\"too_large\""),
        refused("lines on HTTP", FaceKind::Http, PING, "HTTP/1.1 400 Bad Request"),
        refused("a line feed", FaceKind::Http, b"GET / HTTP/1.1\n\n", "HTTP/1.1 400 Bad Request"),
        refused("too large", FaceKind::Http, too_large, "HTTP/1.1 413 Content Too Large"),
        refused("way too large", FaceKind::Http, beyond, "HTTP/1.1 413 Content Too Large"),
    ]
}

impl Refused {
    /// The one that is going to be refused.
    fn unsent(&self) -> Peer {
        Peer::with_limit(self.kind, REFUSED_ABOVE)
    }

    /// The same after its answer has been sent.
    fn peer(&self) -> Peer {
        let mut peer = self.unsent();
        assert_eq!(peer.send(&self.request), Next::Wait, "{}", self.name);
        peer
    }
}

/// The whole session at once, split at every place, and byte by byte: always the same answer.
fn for_every_split(kind: FaceKind, session: &[u8], expected: &str) {
    let answer = |pieces: &[&[u8]]| {
        let mut peer = Peer::new(kind);
        for piece in pieces {
            assert_eq!(peer.send(piece), Next::Wait);
        }
        assert_eq!(peer.end(), Next::Close);
        peer.received()
    };
    assert_eq!(answer(&[session]), expected);
    for at in 0..=session.len() {
        let (first, second) = session.split_at(at);
        assert_eq!(answer(&[first, second]), expected, "split at {at}");
    }
    assert_eq!(answer(&session.chunks(1).collect::<Vec<_>>()), expected, "byte by byte");
}

fn head(status: &str, fields: &str) -> String {
    format!("HTTP/1.1 {status}\r\nDate: {DATE}\r\n{fields}\r\n")
}

/// Values with 19 digits and a comma or a bracket each.
fn many_values(n: i64) -> Vec<i64> {
    (0..n).map(|i| 5_000_000_000_000_000_000 + i).collect()
}

/// What asks for the whole array, on all ways to send it.
fn big_requests() -> [(&'static [u8], FaceKind); 4] {
    [
        (b"[]\n", FaceKind::Socket),
        (b"{\"op\":\"array\"}\n", FaceKind::Socket),
        (GET_ARRAY, FaceKind::Http),
        (b"GET /array HTTP/1.0\r\n\r\n", FaceKind::Http),
    ]
}

fn get_array(kind: FaceKind) -> Vec<u8> {
    match kind {
        FaceKind::Socket => b"[]\n".to_vec(),
        FaceKind::Http => GET_ARRAY.to_vec(),
    }
}

/// A request for the whole array that is `length` bytes long.
fn padded(kind: FaceKind, length: usize) -> Vec<u8> {
    match kind {
        FaceKind::Socket => {
            let mut line = vec![b' '; length];
            line[0] = b'[';
            line[length - 2..].copy_from_slice(b"]\n");
            line
        }
        FaceKind::Http => {
            let head = |body: usize| {
                format!(
                    "GET /array HTTP/1.1\r\nHost: localhost\r\nContent-Length: {body:08}\r\n\r\n"
                )
            };
            let body = length - head(0).len();
            [head(body).as_bytes(), &vec![b' '; body]].concat()
        }
    }
}

fn array_text(values: &[i64]) -> String {
    serde_json::to_string(values).expect("integers are JSON")
}

/// The bodies of responses that all announce a length, or are chunked, or go on to the end.
fn http_bodies(mut received: &str) -> Vec<String> {
    let mut bodies = Vec::new();
    while !received.is_empty() {
        let (head, rest) = received.split_once("\r\n\r\n").expect("a head has an end");
        received = rest;
        let mut body = String::new();
        if head.contains("Transfer-Encoding: chunked") {
            loop {
                let (length, rest) = received.split_once("\r\n").expect("a chunk has a length");
                let length = usize::from_str_radix(length, 16).expect("it is hexadecimal");
                body += &rest[..length];
                received = rest[length..].strip_prefix("\r\n").expect("a chunk has an end");
                if length == 0 {
                    break;
                }
            }
        } else if let Some((_, length)) = head.split_once("Content-Length: ") {
            let length = length.lines().next().unwrap_or_default();
            let (start, rest) = received.split_at(length.parse().expect("it is a number"));
            body += start;
            received = rest;
        } else {
            body += std::mem::take(&mut received);
        }
        bodies.push(body);
    }
    bodies
}
