//! What becomes of a connection when the server stops.

use super::*;

#[test]
fn an_idle_connection_stops_at_once() {
    for (kind, before) in [
        (FaceKind::Socket, &b""[..]),
        (FaceKind::Socket, PING),
        (FaceKind::Socket, b"PING\r\n"),
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
        ("commands", FaceKind::Socket, b"", b"ADD 7\r\nADD 8\r\n", &[":1\r\n", ":2\r\n"]),
        ("half an array", FaceKind::Socket, b"*1\r\n", b"$4\r\n", &["-ERR the server is shutting"]),
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
