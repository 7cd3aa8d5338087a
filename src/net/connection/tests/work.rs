//! Requests that are carried out elsewhere.

use super::*;

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
        peer.connection.on_answer(&mut peer.cx, answer);
        peer.run();
        let received = peer.received();
        let (removed, count) = (received.find("{\"removed\":2}"), received.find("{\"count\":0}"));
        assert!(removed.is_some() && count > removed, "{received}");
    }
}

#[test]
fn a_removal_behind_another_one_is_handed_out() {
    let set = SortedMultiset::new();
    set.writer().add(&[1, 2, 3, 4]);
    let pop = "POST /array/pop?end=min HTTP/1.1\r\nHost: h\r\n\r\n";
    for (kind, pop, popped) in [
        (FaceKind::Socket, "{\"op\":\"pop_min\"}\n", "{\"values\":[1]}\n"),
        (FaceKind::Http, pop, "{\"values\":[3]}\n"),
    ] {
        let mut peer = Peer::new(kind);
        peer.cx.executor = Executor::new(set.writer());
        let others_turn = set.remover();
        peer.arrive(pop.as_bytes());
        assert_eq!(peer.connection.drive(&mut peer.cx), Next::Work, "the loop does not wait");
        let work = peer.connection.take_work().expect("there is work");
        drop(others_turn);
        let answer = work(&mut peer.cx.executor);
        peer.connection.on_answer(&mut peer.cx, answer);
        assert_eq!(peer.run(), Next::Wait);
        assert!(peer.received().contains(popped), "{}", peer.received());

        // Nobody else is at it now.
        peer.arrive(pop.as_bytes());
        assert_eq!(peer.connection.drive(&mut peer.cx), Next::Wait);
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
        peer.connection.on_busy(&mut peer.cx);
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
