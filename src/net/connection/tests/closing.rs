//! Half-closes by the client, and refusals: when a connection ends and how.

use super::*;

#[test]
fn what_came_before_a_half_close_is_answered() {
    let bad_json = |received: &str| received.contains("\"code\":\"bad_json\"");
    let cases = [
        ("nothing", FaceKind::Socket, &b""[..], str::is_empty as fn(&str) -> bool),
        ("a line", FaceKind::Socket, b"[2,1]\n", |received| received == "[1,2]\n"),
        ("a line without its end", FaceKind::Socket, b"[2,1]", |received| received == "[1,2]\n"),
        ("half a line", FaceKind::Socket, b"[2,", bad_json),
        ("white space", FaceKind::Socket, b" \r\n ", str::is_empty),
        ("a command", FaceKind::Socket, b"ADD 2 1\r\n", |received| received == ":2\r\n"),
        // Perhaps it would have gone on.
        ("a command without its end", FaceKind::Socket, b"ADD 2 1", str::is_empty),
        ("half an array", FaceKind::Socket, b"*1\r\n$4\r\nPING", str::is_empty),
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
