//! No more is held or done in a turn than the bounds allow.

use super::*;

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
