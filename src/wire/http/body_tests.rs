use super::body::MAX_EXTRA_BYTES;
use super::*;
use crate::wire::split::pieces;

use proptest::prelude::*;

const MAX: usize = 1000;

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

/// What a decoder makes of the pieces, one after the other, and what it leaves of them.
fn decode<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> (Vec<Decoded>, BytesMut) {
    let mut decoder = Decoder::new(MAX);
    let mut input = BytesMut::new();
    let mut all = Vec::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Decoded::Incomplete => break,
                refused @ Decoded::Refused(_) => {
                    all.push(refused);
                    return (all, input);
                }
                decoded => all.push(decoded),
            }
        }
    }
    (all, input)
}

/// The bodies, and the status of the refusal after them if there is one.
fn outcome(decoded: &[Decoded]) -> (Vec<&[u8]>, Option<u16>) {
    let bodies = decoded.iter().filter_map(|decoded| match decoded {
        Decoded::Request(request) => Some(request.body.as_slice()),
        _ => None,
    });
    let refusal = decoded.iter().find_map(|decoded| match decoded {
        Decoded::Refused(refusal) => Some(refusal.status),
        _ => None,
    });
    (bodies.collect(), refusal)
}

/// Decodes the bytes whole, cut in two at each place, and one by one; all must come to the same.
fn decode_in_every_way(bytes: &[u8]) -> Vec<Decoded> {
    let (whole, rest) = decode([bytes]);
    let refused = outcome(&whole).1.is_some();
    for cut in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        let (split, split_rest) = decode([head, tail]);
        assert_eq!(split, whole, "cut at {cut}: {}", bytes.escape_ascii());
        assert!(refused || split_rest == rest, "cut at {cut}: {}", bytes.escape_ascii());
    }
    let (single, single_rest) = decode(bytes.chunks(1));
    assert_eq!(single, whole, "byte by byte: {}", bytes.escape_ascii());
    assert!(refused || single_rest == rest, "byte by byte: {}", bytes.escape_ascii());
    whole
}

#[test]
fn chunks_make_a_body() {
    let rows: [(&str, &str); 14] = [
        ("0\r\n\r\n", ""),
        ("000\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello"),
        ("0000000000000005\r\nhello\r\n0\r\n\r\n", "hello"),
        ("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        ("5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
        ("5;\r\nhello\r\n0;last\r\n\r\n", "hello"),
        ("5;name=value;other=\"a;\tb\"\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5;\u{e9}\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5\r\nhello\r\n0\r\nDigest: x\r\n\r\n", "hello"),
        ("0\r\na:\r\nb:\tc: d\r\n\r\n", ""),
        ("0\r\nContent-Length: 7\r\nTransfer-Encoding: gzip\r\n\r\n", ""),
    ];
    for (chunks, body) in rows {
        let bytes = format!("{CHUNKED}{chunks}");
        let decoded = decode_in_every_way(bytes.as_bytes());
        assert_eq!(outcome(&decoded), (vec![body.as_bytes()], None), "{chunks:?}");
        for end in 0..bytes.len() {
            let (decoded, _) = decode([&bytes.as_bytes()[..end]]);
            assert_eq!(decoded, [], "the first {end} bytes of {bytes:?}");
        }
    }
}

#[test]
fn malformed_chunks_are_refused() {
    let digits = "0".repeat(16);
    let rows = [
        ("\r\n", 400),
        ("g\r\n", 400),
        ("-1\r\n", 400),
        ("+1\r\nx\r\n", 400),
        (" 1\r\nx\r\n", 400),
        ("1 \r\nx\r\n", 400),
        ("1\t;a\r\nx\r\n", 400),
        ("1_0\r\n", 400),
        ("0x1\r\nx\r\n", 400),
        ("1,\r\nx\r\n", 400),
        (";a\r\n", 400),
        ("1;a\0\r\nx\r\n", 400),
        ("1;a\u{7f}\r\nx\r\n", 400),
        ("1\nx\r\n", 400),
        ("1\r\r\nx\r\n", 400),
        ("1;a\rb\r\nx\r\n", 400),
        ("1;a\nx\r\n", 400),
        ("1\r\nx\n", 400),
        ("1\r\nxy\r\n", 400),
        ("1\r\nx1\r\n", 400),
        ("1\r\nx\r\r\n", 400),
        ("1\r\nx0\r\n\r\n", 400),
        ("0\r\n\n", 400),
        ("0\r\na: b\n\r\n", 400),
        ("0\r\nx\r\n\r\n", 400),
        ("0\r\n: b\r\n\r\n", 400),
        ("0\r\na : b\r\n\r\n", 400),
        ("0\r\na: b\r\n c\r\n\r\n", 400),
        ("0\r\na: \0\r\n\r\n", 400),
        (&format!("{digits}1\r\nx\r\n"), 400),
        ("3e9\r\n", 413),
        ("ffffffffffffffff\r\n", 413),
        ("8000000000000000\r\n", 413),
        ("10000000000000000\r\n", 400),
        ("1\r\nx\r\nffffffffffffffff\r\n", 413),
        ("3e8;a\r\n", 0),
    ];
    for (chunks, status) in rows {
        let decoded = decode_in_every_way(format!("{CHUNKED}{chunks}").as_bytes());
        let status = Some(status).filter(|&status| status > 0);
        assert_eq!(outcome(&decoded), (vec![], status), "{chunks:?}");
    }
}

#[test]
fn a_head_says_how_its_body_ends() {
    let rows = [
        ("1.1", "Transfer-Encoding: chunked\r\n", None),
        ("1.1", "transfer-encoding:\t CHUNKED \r\n", None),
        ("1.1", "Transfer-Encoding: gzip\r\n", Some(501)),
        ("1.1", "Transfer-Encoding: gzip, chunked\r\n", Some(501)),
        ("1.1", "Transfer-Encoding: chunked, chunked\r\n", Some(501)),
        ("1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Some(501)),
        ("1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", Some(501)),
        ("1.1", "Transfer-Encoding: xchunked\r\n", Some(501)),
        ("1.1", "Transfer-Encoding: \"chunked\"\r\n", Some(501)),
        ("1.1", "Transfer-Encoding: chunked;q=1\r\n", Some(501)),
        ("1.1", "Transfer-Encoding: ,chunked\r\n", Some(501)),
        ("1.1", "Transfer-Encoding:\r\n", Some(501)),
        ("1.1", "Transfer-Encoding: \u{b}chunked\r\n", Some(400)),
        ("1.1", "Transfer-Encoding : chunked\r\n", Some(400)),
        ("1.1", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Some(400)),
        ("1.1", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", Some(400)),
        ("1.1", "Content-Length: 0\r\nTransfer-Encoding: gzip\r\n", Some(400)),
        ("1.0", "Transfer-Encoding: chunked\r\n", Some(400)),
        ("1.0", "Transfer-Encoding: gzip\r\n", Some(400)),
    ];
    for (version, fields, refusal) in rows {
        let bytes =
            format!("PUT / HTTP/{version}\r\nHost: x\r\n{fields}\r\n5\r\nhello\r\n0\r\n\r\n");
        let decoded = decode_in_every_way(bytes.as_bytes());
        let bodies: &[&[u8]] = if refusal.is_some() { &[] } else { &[b"hello"] };
        assert_eq!(outcome(&decoded), (bodies.to_vec(), refusal), "{bytes:?}");
    }
}

#[test]
fn what_follows_a_body_is_the_next_request() {
    let length = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
    let none = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let chunked = format!("{CHUNKED}3;x\r\ndef\r\n0\r\nt: u\r\n\r\n");
    let bytes = format!("{chunked}{length}{none}{chunked}{chunked}\r\n{none}{length}GET /unfin");
    let bodies: [&[u8]; 7] = [b"def", b"abc", b"", b"def", b"def", b"", b"abc"];
    let decoded = decode_in_every_way(bytes.as_bytes());
    assert_eq!(outcome(&decoded), (bodies.to_vec(), None));
    assert_eq!(decode([bytes.as_bytes()]).1, "GET /unfin");
}

#[test]
fn a_body_may_have_as_much_as_is_taken_and_no_more() {
    let hex = |n: usize| format!("{n:x}\r\n{}\r\n", "x".repeat(n));
    let rows = [
        (format!("{}0\r\n\r\n", hex(MAX)), Ok(MAX)),
        (format!("{}{}0\r\n\r\n", hex(1), hex(MAX - 1)), Ok(MAX)),
        (format!("{}0\r\n\r\n", hex(1).repeat(MAX)), Ok(MAX)),
        (format!("{:x}\r\n", MAX + 1), Err(413)),
        (format!("{}1\r\n", hex(MAX)), Err(413)),
        (format!("{}{MAX:x}\r\n", hex(1)), Err(413)),
        (format!("{}1\r\n", hex(1).repeat(MAX)), Err(413)),
    ];
    for (chunks, expected) in rows {
        let (decoded, _) = decode([CHUNKED.as_bytes(), chunks.as_bytes()]);
        let (bodies, refusal) = outcome(&decoded);
        let found = refusal.map_or_else(|| Ok(bodies[0].len()), Err);
        assert_eq!(found, expected, "{:?}", &chunks[..chunks.len().min(20)]);
    }
}

#[test]
fn extensions_and_trailers_have_one_bound_together() {
    let half = MAX_EXTRA_BYTES / 2;
    let extension = |n: usize| format!("1;{}\r\nx\r\n", "e".repeat(n - 1));
    let trailer = |n: usize| format!("a:{}\r\n", "t".repeat(n - 2));
    let end = "0\r\n\r\n";
    let rows = [
        (format!("{}{end}", extension(2 * half)), None),
        (format!("{}{end}", extension(2 * half + 1)), Some(400)),
        (format!("{}{}{end}", extension(half), extension(half)), None),
        (format!("{}{}{end}", extension(half), extension(half + 1)), Some(400)),
        (format!("{}{end}", extension(8).repeat(half / 4)), None),
        (format!("{}{end}", extension(8).repeat(half / 4) + &extension(1)), Some(400)),
        (format!("0\r\n{}\r\n", trailer(2 * half)), None),
        (format!("0\r\n{}\r\n", trailer(2 * half + 1)), Some(431)),
        (format!("0\r\n{}\r\n", trailer(8).repeat(half / 4)), None),
        (format!("0\r\n{}\r\n", trailer(8).repeat(half / 4) + "a:\r\n"), Some(431)),
        (format!("{}0\r\n{}\r\n", extension(half), trailer(half)), None),
        (format!("{}0\r\n{}\r\n", extension(half), trailer(half + 1)), Some(431)),
        // Neither is waited for to its end, if it has one.
        (format!("1;{}", "e".repeat(2 * half + 16)), Some(400)),
        (format!("0\r\na:{}", "t".repeat(2 * half)), Some(431)),
    ];
    // A body of many chunks must not meet the other bound.
    for (chunks, expected) in rows {
        for piece in [1, 7, 4096, chunks.len()] {
            let mut decoder = Decoder::new(MAX_EXTRA_BYTES);
            let mut input = BytesMut::from(CHUNKED);
            assert_eq!(decoder.decode(&mut input), Decoded::Incomplete);
            let mut last = Decoded::Incomplete;
            for piece in chunks.as_bytes().chunks(piece) {
                input.extend_from_slice(piece);
                last = decoder.decode(&mut input);
                if last != Decoded::Incomplete {
                    break;
                }
                assert!(input.len() <= MAX_EXTRA_BYTES + 20, "it holds {}", input.len());
            }
            let shown = &chunks[..20];
            match expected {
                None => assert!(matches!(last, Decoded::Request(_)), "{shown:?}: {last:?}"),
                Some(_) => assert_eq!(outcome(&[last]), (vec![], expected), "{shown:?}"),
            }
        }
    }
}

#[test]
fn no_memory_is_taken_for_what_is_only_announced() {
    let most = 1 << 40;
    for announcement in [
        format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {most}\r\n\r\nx"),
        format!("{CHUNKED}{most:x}\r\nx"),
    ] {
        // A terabyte cannot be had.
        let mut decoder = Decoder::new(most);
        let mut input = BytesMut::from(announcement.as_str());
        assert_eq!(decoder.decode(&mut input), Decoded::Incomplete);
        input.extend_from_slice(&[b'x'; 100]);
        assert_eq!(decoder.decode(&mut input), Decoded::Incomplete);
        assert!(decoder.is_in_body() && input.is_empty(), "what has come is taken off the input");
    }
}

#[test]
fn a_body_takes_no_more_memory_than_it_may_have() {
    let length = 100_000;
    for (head, chunked) in [
        (format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"), false),
        (CHUNKED.to_owned(), true),
    ] {
        let mut decoder = Decoder::new(length);
        let mut input = BytesMut::from(head.as_str());
        assert_eq!(decoder.decode(&mut input), Decoded::Incomplete);
        for _ in 0..length / 10 {
            input.extend_from_slice(if chunked { b"a\r\n0123456789\r\n" } else { b"0123456789" });
            if let Decoded::Request(request) = decoder.decode(&mut input) {
                assert_eq!(request.body.capacity(), length);
                return;
            }
        }
        input.extend_from_slice(b"0\r\n\r\n");
        let Decoded::Request(request) = decoder.decode(&mut input) else { panic!("it is whole") };
        assert_eq!((request.body.len(), request.body.capacity()), (length, length));
    }
}

#[test]
fn expectations() {
    let rows = [
        ("1.1", "Expect: 100-continue\r\n", true, None),
        ("1.1", "expect: 100-CONTINUE\r\n", true, None),
        ("1.1", "Expect: 100-continue\r\nExpect: 100-continue\r\n", true, None),
        ("1.1", "Expect: \r\n", false, None),
        ("1.1", "Expect: 200-ok\r\n", false, Some(417)),
        ("1.1", "Expect: 100-continue=x\r\n", false, Some(417)),
        ("1.1", "Expect: 100-continue, other\r\n", false, Some(417)),
        ("1.1", "Expect: 100-continue\r\nExpect: other\r\n", false, Some(417)),
        ("1.1", "Expect: 100-continue\r\nTransfer-Encoding: gzip\r\n", false, Some(501)),
        ("1.1", "Expect: 100-continue\r\nHost: y\r\n", false, Some(400)),
        ("1.0", "Expect: 100-continue\r\n", false, None),
        ("1.0", "Expect: 200-ok\r\n", false, None),
    ];
    for (version, fields, continues, refusal) in rows {
        let framing = if fields.contains("Transfer") { "" } else { "Content-Length: 2\r\n" };
        let head = format!("POST / HTTP/{version}\r\nHost: x\r\n{fields}{framing}\r\n");
        let (decoded, _) = decode([head.as_bytes(), b"a", b"b"]);
        let mut expected = Vec::new();
        if continues {
            expected.push(&Decoded::Continue);
        }
        let interim: Vec<&Decoded> =
            decoded.iter().filter(|decoded| **decoded == Decoded::Continue).collect();
        assert_eq!(interim, expected, "{head:?}");
        let bodies: &[&[u8]] = if refusal.is_some() { &[] } else { &[b"ab"] };
        assert_eq!(outcome(&decoded), (bodies.to_vec(), refusal), "{head:?}");
    }
}

#[test]
fn a_client_is_told_to_go_on_once_and_only_if_it_waits() {
    let expecting = |framing: &str| {
        format!("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n{framing}\r\n")
    };
    let length = expecting("Content-Length: 3\r\n");
    let chunked = expecting("Transfer-Encoding: chunked\r\n");
    let told = |pieces: &[&str]| {
        let (decoded, _) = decode(pieces.iter().map(|piece| piece.as_bytes()));
        let is_first = decoded.first() == Some(&Decoded::Continue);
        let told = decoded.iter().filter(|decoded| **decoded == Decoded::Continue).count();
        assert!(told == usize::from(is_first), "it comes first and once: {decoded:?}");
        (is_first, outcome(&decoded).1)
    };
    let chunks = "3\r\nabc\r\n0\r\n\r\n";
    assert_eq!(told(&[&length, "a", "b", "c"]), (true, None));
    assert_eq!(told(&[&chunked, "3\r\n", "abc\r\n", "0\r\n\r\n"]), (true, None));
    // Part of the body is there: there may be more that waits.
    assert_eq!(told(&[&format!("{length}a"), "bc"]), (true, None));
    assert_eq!(told(&[&format!("{chunked}3\r\n"), "abc\r\n0\r\n\r\n"]), (true, None));
    // All of it is there, or there is none.
    assert_eq!(told(&[&format!("{length}abc")]), (false, None));
    assert_eq!(told(&[&format!("{chunked}{chunks}")]), (false, None));
    assert_eq!(told(&[&expecting("")]), (false, None));
    assert_eq!(told(&[&expecting("Content-Length: 0\r\n")]), (false, None));
    // A refusal takes its place.
    assert_eq!(
        told(&[&expecting(&format!("Content-Length: {}\r\n", MAX + 1))]),
        (false, Some(413))
    );
    assert_eq!(told(&[&expecting(&format!("Content-Length: {MAX}\r\n"))]), (true, None));
    assert_eq!(told(&[&format!("{chunked}x\r\n")]), (false, Some(400)));
    // Each request has its own.
    let (decoded, _) = decode([length.as_bytes(), b"abc", chunked.as_bytes(), chunks.as_bytes()]);
    assert_eq!(decoded.len(), 4);
    assert_eq!((&decoded[0], &decoded[2]), (&Decoded::Continue, &Decoded::Continue));
}

/// Bytes that are nearly chunks.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let tokens = prop::sample::select(vec![
        "0",
        "1",
        "5",
        "a",
        "F",
        "3e8",
        "ffffffffffffffff",
        ";",
        ";x=y",
        "\r\n",
        "\r\n",
        "\r\n",
        "\r",
        "\n",
        "hello",
        " ",
        "\t",
        ":",
        "a: b",
        "-",
        "+",
        "_",
        "\0",
        "0\r\n\r\n",
        "5\r\nhello\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ]);
    let token = prop_oneof![
        9 => tokens.prop_map(|token| token.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(token, 0..20).prop_map(|tokens| tokens.concat())
}

/// A body cut into chunks of these sizes, each with a line as strange as it may be.
fn encode(
    body: &[u8],
    sizes: &[usize],
    lines: &[(usize, bool, String)],
    trailers: &str,
) -> Vec<u8> {
    let mut bytes = CHUNKED.as_bytes().to_vec();
    let mut lines = lines.iter().cycle();
    for chunk in pieces(body, sizes).into_iter().chain([&body[..0]]) {
        let (width, is_upper, extension) = lines.next().expect("there is at least one");
        let size = chunk.len();
        let size = if *is_upper { format!("{size:0width$X}") } else { format!("{size:0width$x}") };
        bytes.extend_from_slice(format!("{size}{extension}\r\n").as_bytes());
        if !chunk.is_empty() {
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
    }
    bytes.extend_from_slice(trailers.as_bytes());
    bytes.extend_from_slice(b"\r\n");
    bytes
}

proptest! {
    #[test]
    fn what_was_sent_in_chunks_is_the_body(
        body in prop::collection::vec(any::<u8>(), 0..=MAX),
        sizes in prop::collection::vec(1_usize..400, 1..10),
        lines in prop::collection::vec((1_usize..=16, any::<bool>(), "(;[ -~]{0,12})?"), 1..5),
        trailers in "([a-zA-Z-]{1,9}:[ -~\t]{0,20}\r\n){0,3}",
        cuts in prop::collection::vec(1_usize..100, 1..10),
    ) {
        let mut bytes = encode(&body, &sizes, &lines, &trailers);
        bytes.extend_from_slice(b"GET /next HTTP/1.1\r\nHost: x\r\n\r\nrest");
        let (decoded, rest) = decode(pieces(&bytes, &cuts).into_iter());
        prop_assert_eq!(outcome(&decoded), (vec![body.as_slice(), b""], None));
        prop_assert_eq!(rest, "rest");
    }

    #[test]
    fn garbage_is_taken_or_refused_in_the_same_way_however_it_comes(
        garbage in garbage(),
        cuts in prop::collection::vec(1_usize..9, 1..6),
    ) {
        let bytes = [CHUNKED.as_bytes(), &garbage].concat();
        let (whole, rest) = decode([bytes.as_slice()]);
        let (split, split_rest) = decode(pieces(&bytes, &cuts).into_iter());
        prop_assert_eq!(&whole, &split);
        let (bodies, refusal) = outcome(&whole);
        prop_assert!(bodies.iter().all(|body| body.len() <= MAX));
        prop_assert!(refusal.is_some() || rest == split_rest);
    }
}
