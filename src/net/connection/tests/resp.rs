//! Connections that speak RESP.

use super::*;

use crate::command::Bounds;

const ELEMENT_BYTES: usize = ":5000000000000000000\r\n".len();

/// What a large array looks like.
fn array_frame(values: &[i64]) -> String {
    let elements: String = values.iter().map(|value| format!(":{value}\r\n")).collect();
    format!("*{}\r\n{elements}", values.len())
}

#[test]
fn a_session_is_answered_the_same_however_it_is_split() {
    let session = concat!(
        "*1\r\n$4\r\nPING\r\n",
        "add 5 3 9\r\n",
        "*0\r\n\r\n",
        "*3\r\n$3\r\nADD\r\n$12\r\n000000000007\r\n$2\r\n-1\r\n",
        "RANGE 0 -1\r\n",
        "*2\r\n$6\r\npopmin\r\n$1\r\n2\r\n",
        "POPMAX\r\n",
        "FROB\r\n",
        "ADD 1 x\r\n",
        "ECHO \"a b\"\r\n",
        "AT 7\r\n",
        "HELLO 3 SETNAME me\r\n",
        "AT 7\r\n",
        "CLIENT GETNAME\r\n",
        "CLEAR\r\n",
        "QUIT\r\n",
        "ADD 1\r\n",
    );
    let own = env!("CARGO_PKG_VERSION");
    let hello = format!(
        "%7\r\n$6\r\nserver\r\n$5\r\nsortd\r\n$7\r\nversion\r\n${}\r\n{own}\r\n$5\r\nproto\r\n:3\r\n\
         $2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n\
         $7\r\nmodules\r\n*0\r\n",
        own.len()
    );
    let expected = [
        "+PONG\r\n",
        ":3\r\n",
        ":5\r\n",
        "*5\r\n:-1\r\n:3\r\n:5\r\n:7\r\n:9\r\n",
        "*2\r\n:-1\r\n:3\r\n",
        ":9\r\n",
        "-ERR unknown command 'FROB', with args beginning with: \r\n",
        "-ERR value is not an integer or out of range\r\n",
        "$3\r\na b\r\n",
        "$-1\r\n",
        &hello,
        "_\r\n",
        "$2\r\nme\r\n",
        ":2\r\n",
        "+OK\r\n",
    ];
    for_every_split(FaceKind::Socket, session.as_bytes(), &expected.concat());
}

#[test]
fn pipelined_commands_are_answered_in_their_order() {
    let mut peer = Peer::new(FaceKind::Socket);
    let commands = "*2\r\n$3\r\nADD\r\n$1\r\n7\r\n".repeat(5000);
    assert_eq!(peer.send(commands.as_bytes()), Next::Wait);
    let expected: String = (1..=5000).map(|n| format!(":{n}\r\n")).collect();
    assert_eq!(peer.received(), expected);
}

#[test]
fn a_slow_reader_of_large_arrays_holds_little() {
    let values = many_values(10_000);
    let expected = array_frame(&values).repeat(3);
    for piece in [1000, 40_000] {
        let mut peer = Peer::new(FaceKind::Socket);
        peer.fill(&values);
        peer.block();
        let commands =
            b"RANGE 0 -1\r\nBETWEEN -inf +inf\r\n*3\r\n$5\r\nRANGE\r\n$1\r\n0\r\n$2\r\n-1\r\n";
        assert_eq!(peer.send(commands), Next::Wait);
        while peer.has_unsent() {
            peer.assert_bounded();
            assert_eq!(peer.allow(piece), Next::Wait);
        }
        assert!(peer.received() == expected);
    }
}

#[test]
fn one_turn_writes_no_more_than_its_budget() {
    // Many small replies and a few large ones.
    let quantiles = format!("QUANTILE{}\r\n", " 0.5".repeat(1000));
    for commands in ["RANGE 0 499\r\n".repeat(100), quantiles.repeat(20), "COMMAND\r\n".repeat(100)]
    {
        let mut peer = Peer::new(FaceKind::Socket);
        peer.fill(&many_values(500));
        peer.arrive(commands.as_bytes());
        let mut next = Next::Again;
        while next == Next::Again {
            let before = peer.connection.stream.written.len();
            next = peer.drive();
            let written = peer.connection.stream.written.len() - before;
            // Replies that are no streams are written whole.
            assert!(written <= TURN_OUTPUT_BYTES + 1000 * ELEMENT_BYTES, "{written} bytes");
        }
        assert_eq!(next, Next::Wait);
    }
}

#[test]
fn a_large_message_comes_back_in_pieces_and_is_accounted_for() {
    let length = 1_000_000;
    let command = format!("*2\r\n$4\r\nECHO\r\n${length}\r\n{}\r\n", "x".repeat(length));
    let reply = &command["*2\r\n$4\r\nECHO\r\n".len()..];
    let mut peer = Peer::new(FaceKind::Socket);
    peer.block();
    assert_eq!(peer.send(format!("{command}PING\r\n").as_bytes()), Next::Wait);
    while peer.has_unsent() {
        peer.assert_bounded();
        let unsent = reply.len() - peer.received().len().min(reply.len());
        let buffered = peer.connection.buffered_bytes();
        assert!((unsent..=unsent + OVERHEAD).contains(&buffered), "{unsent} of {buffered}");
        assert_eq!(peer.allow(30_000), Next::Wait);
    }
    assert!(peer.received() == format!("{reply}+PONG\r\n"));
    assert_eq!(peer.connection.buffered_bytes(), 0);
}

#[test]
fn large_requests_are_handed_out_and_what_is_behind_them_waits() {
    let many = |name: &str, value: &str| format!("{name}{}\r\n", format!(" {value}").repeat(9000));
    let cases = [
        (many("ADD", "7"), ":9001\r\n"),
        (many("REMOVE", "7"), ":1\r\n"),
        (many("ADD", "x"), "-ERR value is not an integer or out of range\r\n"),
        ("CLEAR\r\n".to_owned(), ":1\r\n"),
    ];
    for (command, expected) in cases {
        let mut peer = Peer::new(FaceKind::Socket);
        peer.fill(&[7]);
        peer.arrive(command.as_bytes());
        let mut next = Next::Again;
        while next == Next::Again {
            next = peer.connection.drive(&mut peer.cx);
        }
        assert_eq!(next, Next::Work);
        let work = peer.connection.take_work().expect("there is work");
        peer.arrive(b"PING\r\n");
        assert_eq!(peer.connection.drive(&mut peer.cx), Next::Wait);
        assert_eq!(peer.received(), "", "nothing overtakes it");
        let answer = work(&mut peer.cx.executor);
        peer.connection.on_answer(&mut peer.cx, answer);
        assert_eq!(peer.run(), Next::Wait);
        assert_eq!(peer.received(), format!("{expected}+PONG\r\n"));
    }
}

#[test]
fn work_without_room_is_refused_and_the_connection_goes_on() {
    let mut peer = Peer::new(FaceKind::Socket);
    peer.fill(&[1, 2]);
    peer.arrive(b"CLEAR\r\nCOUNT\r\n");
    assert_eq!(peer.connection.drive(&mut peer.cx), Next::Work);
    assert!(peer.connection.take_work().is_some());
    peer.connection.on_busy(&mut peer.cx);
    assert_eq!(peer.run(), Next::Wait);
    assert_eq!(peer.received(), "-BUSY the server has too much to do; try again\r\n:2\r\n");
}

#[test]
fn http_gets_no_answer_and_neither_does_what_follows() {
    for head in ["GET / HTTP/1.1\r\n", "POST /array HTTP/1.1\r\n", "Host: x\r\n"] {
        let mut peer = Peer::new(FaceKind::Socket);
        assert_eq!(peer.send(format!("{head}ADD 1\r\nCOUNT\r\n").as_bytes()), Next::Wait);
        assert_eq!((peer.received(), peer.is_shut()), (String::new(), true), "{head}");
        assert_eq!(peer.end(), Next::Close);
        let count = peer.cx.executor.execute(Command::Count(Bounds::ALL));
        assert!(matches!(count, Reply::Count(0)), "{head}");
    }
}

#[test]
fn a_defect_ends_the_connection_without_an_answer() {
    let mut peer = Peer::new(FaceKind::Socket);
    peer.arrive(b"CLEAR\r\nPING\r\n");
    assert_eq!(peer.connection.drive(&mut peer.cx), Next::Work);
    let exchange = &peer.connection.away.as_ref().expect("there is work").exchange;
    let attempt = exchange.try_carry_out(Command::Clear, |_| panic!("on purpose"));
    let Attempt::Answered(answer) = attempt else { panic!("it is over") };
    peer.connection.on_answer(&mut peer.cx, answer);
    assert_eq!(peer.run(), Next::Wait);
    assert_eq!((peer.received(), peer.is_shut()), (String::new(), true));
}
