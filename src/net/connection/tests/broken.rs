//! Streams and bodies that fail.

use super::*;

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
