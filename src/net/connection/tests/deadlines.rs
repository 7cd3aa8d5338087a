//! What is not done in time.

use super::*;

#[test]
fn an_idle_client_has_the_idle_time_from_its_last_byte() {
    let cases: [(FaceKind, &[&[u8]]); 3] = [
        (FaceKind::Socket, &[PING, b"\n", b"\r\n", b" \n"]),
        (FaceKind::Socket, &[b"PING\r\n", b"*0\r\n", b"\r\n"]),
        (FaceKind::Http, &[LIVEZ, b"\r\n"]),
    ];
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
        ("a command", FaceKind::Socket, b"AD", b"D 1", "-ERR the request was not complete in time"),
        (
            "an array after another",
            FaceKind::Socket,
            b"*1\r\n$4\r\nPING\r\n*1\r\n",
            b"$1000\r\n",
            "+PONG\r\n-ERR the request was not complete in time",
        ),
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
