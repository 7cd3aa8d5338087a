use super::*;

use proptest::prelude::*;

use crate::wire::split::pieces;

/// The most bytes of a body in these tests.
const MAX_BODY: usize = 100;

/// HTTP/1.1, to be kept open.
const KEPT: Exchange = Exchange { is_head: false, knows_chunks: true, keep_alive: true };

/// HTTP/1.1, to be closed.
const CLOSED: Exchange = Exchange { keep_alive: false, ..KEPT };

/// HTTP/1.0, to be closed.
const OLD: Exchange = Exchange { is_head: false, knows_chunks: false, keep_alive: false };

#[test]
fn each_request_form_decodes() {
    let in_order = "a=1&b=%20+x";
    let with_query = format!("GET /array?{in_order} HTTP/1.1\r\nHost: h\r\n\r\n");
    let cases: &[(&str, &str, &str, &str, Exchange)] = &[
        ("GET", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/", KEPT),
        ("DELETE", "DELETE /array HTTP/1.1\r\nHost: h\r\n\r\n", "DELETE", "/array", KEPT),
        ("a method nobody knows", "SORT / HTTP/1.1\r\nHost: h\r\n\r\n", "SORT", "/", KEPT),
        ("methods have a case", "get / HTTP/1.1\r\nHost: h\r\n\r\n", "get", "/", KEPT),
        (
            "HEAD",
            "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
            "HEAD",
            "/",
            Exchange { is_head: true, ..KEPT },
        ),
        ("a query", &with_query, "GET", "/array?a=1&b=%20+x", KEPT),
        ("an asterisk", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS", "*", KEPT),
        ("an absolute target", "GET http://h/a?b HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/a?b", KEPT),
        ("a port in it", "GET http://h:80/a HTTP/1.1\r\nHost: h:80\r\n\r\n", "GET", "/a", KEPT),
        (
            "its scheme in upper case",
            "GET HTTP://H/a HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET",
            "/a",
            KEPT,
        ),
        ("an absolute target alone", "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/", KEPT),
        (
            "a slash in a query",
            "GET /?u=http://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET",
            "/?u=http://h/",
            KEPT,
        ),
        (
            "names in any case",
            "GET / HTTP/1.1\r\nhOST: h\r\ncONNECTION: cLOSE\r\n\r\n",
            "GET",
            "/",
            CLOSED,
        ),
        ("an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET", "/", KEPT),
        ("empty lines before", "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/", KEPT),
        ("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "GET", "/", OLD),
        (
            "a body of no length",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
            "POST",
            "/",
            KEPT,
        ),
    ];
    for (name, text, method, target, exchange) in cases {
        let Request { head, body } = request(text.as_bytes(), name);
        assert_eq!((&*head.method, &*head.target), (*method, *target), "{name}");
        assert_eq!((head.exchange, body), (*exchange, vec![]), "{name}");
    }
}

#[test]
fn a_connection_is_kept_as_its_version_and_header_say() {
    let cases = [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: Close\r\n", false),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: keep-alive, close\r\n", false),
        ("1.1", "Connection: close , keep-alive\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.1", "Connection: \r\n", true),
        ("1.1", "X-Connection: close\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: close\r\n", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: x,\tkeep-alive\r\n", true),
        ("1.0", "Connection: x\r\nConnection: keep-alive\r\n", true),
        ("1.0", "Keep-Alive: timeout=5\r\n", false),
    ];
    for (version, header, keep_alive) in cases {
        let text = format!("GET / HTTP/{version}\r\nHost: h\r\n{header}\r\n");
        let kept = request(text.as_bytes(), header).head.exchange.keep_alive;
        assert_eq!(kept, keep_alive, "HTTP/{version} {header:?}");
    }
}

#[test]
fn close_outweighs_keep_alive_in_any_version_and_order() {
    for version in ["1.1", "1.0"] {
        for options in ["keep-alive, close", "close, keep-alive"] {
            let text = format!("GET / HTTP/{version}\r\nHost: h\r\nConnection: {options}\r\n\r\n");
            let exchange = request(text.as_bytes(), options).head.exchange;
            assert!(!exchange.keep_alive, "HTTP/{version} {options:?}");
        }
    }
}

#[test]
fn header_fields_keep_their_order_and_lose_the_space_around_them() {
    let text = b"GET / HTTP/1.1\r\nHost: h\r\nA:1\r\nb: \t 2 3 \t\r\nA: \xff\xc3\xa4\r\nC:\r\n\r\n";
    let headers = request(text, "several fields").head.headers;
    let fields = [("Host", "h"), ("A", "1"), ("b", "2 3"), ("A", "\u{fffd}\u{e4}"), ("C", "")];
    let expected = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(headers, expected);
}

#[test]
fn each_refusal_has_its_status() {
    let post = |header: &str| format!("POST / HTTP/1.1\r\nHost: h\r\n{header}\r\n\r\n");
    let get = |header: &str| format!("GET / HTTP/1.1\r\nHost: h\r\n{header}\r\n\r\n");
    let line = |line: &str| format!("{line}\r\nHost: h\r\n\r\n");
    let hundred_digits = format!("Content-Length: {}", "9".repeat(100));
    let cases = [
        ("lengths that differ", post("Content-Length: 5\r\nContent-Length: 6"), 400),
        ("a repeated length", post("Content-Length: 5\r\ncontent-length: 5"), 400),
        ("a list of lengths", post("Content-Length: 5, 5"), 400),
        ("a length and a coding", post("Content-Length: 5\r\nTransfer-Encoding: chunked"), 400),
        ("a coding and a length", post("Transfer-Encoding: chunked\r\nContent-Length: 5"), 400),
        ("an unknown coding", post("Transfer-Encoding: gzip"), 501),
        ("an unknown coding before chunked", post("Transfer-Encoding: gzip, chunked"), 501),
        ("a length with a plus", post("Content-Length: +5"), 400),
        ("a length below zero", post("Content-Length: -1"), 400),
        ("a length with a gap", post("Content-Length:  5 5"), 400),
        ("an empty length", post("Content-Length:"), 400),
        ("a length of white space", post("Content-Length: \t "), 400),
        ("a hexadecimal length", post("Content-Length: 0x5"), 400),
        ("a length with a fraction", post("Content-Length: 5.0"), 400),
        ("a length in other digits", post("Content-Length: \u{665}"), 400),
        ("a length beyond the limit", post("Content-Length: 101"), 413),
        ("a length beyond memory", post("Content-Length: 99999999999999"), 413),
        ("a length beyond u64", post("Content-Length: 18446744073709551616"), 413),
        ("a length of a hundred digits", post(&hundred_digits), 413),
        ("a bare line feed after the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n".into(), 400),
        ("a bare line feed after a field", "GET / HTTP/1.1\r\nHost: h\n\r\n".into(), 400),
        ("a bare line feed at the end", "GET / HTTP/1.1\r\nHost: h\r\n\n".into(), 400),
        ("bare line feeds before", "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n".into(), 400),
        ("a bare carriage return in a field", get("A: b\rc"), 400),
        ("a bare carriage return in a name", get("A\r: b"), 400),
        ("a bare carriage return in the request line", line("GET /\r HTTP/1.1"), 400),
        ("two carriage returns", get("A: b\r"), 400),
        ("a carriage return before", "\rGET / HTTP/1.1\r\nHost: h\r\n\r\n".into(), 400),
        ("a folded field", get("A: b\r\n c"), 400),
        ("a field folded by a tab", get("A: b\r\n\tc"), 400),
        ("a folded first field", "GET / HTTP/1.1\r\n Host: h\r\n\r\n".into(), 400),
        ("a space before the colon", get("A : b"), 400),
        ("a tab before the colon", get("A\t: b"), 400),
        ("a field without a colon", get("A"), 400),
        ("a field without a name", get(": b"), 400),
        ("NUL in a field", get("A: b\0c"), 400),
        ("NUL in a name", get("A\0: b"), 400),
        ("NUL in the target", line("GET /\0 HTTP/1.1"), 400),
        ("a control character in a field", get("A: \x1b[0m"), 400),
        ("no host", "GET / HTTP/1.1\r\n\r\n".into(), 400),
        ("two hosts", get("Host: h"), 400),
        ("two hosts in any case", get("HOST: i"), 400),
        ("HTTP/2.0", line("GET / HTTP/2.0"), 505),
        ("HTTP/1.2", line("GET / HTTP/1.2"), 505),
        ("HTTP/0.9", line("GET / HTTP/0.9"), 505),
        ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 505),
        ("no version", line("GET /"), 400),
        ("no target", line("GET"), 400),
        ("an empty target", line("GET  HTTP/1.1"), 400),
        ("another protocol", line("GET / FTP/1.0"), 400),
        ("a version in lower case", line("GET / http/1.1"), 400),
        ("a version that goes on", line("GET / HTTP/1.10"), 400),
        ("a space at the end of the request line", line("GET / HTTP/1.1 "), 400),
        ("a space before the method", line(" GET / HTTP/1.1"), 400),
        ("a method that is no token", line("G(T / HTTP/1.1"), 400),
        ("a first byte that starts no method", "{\"op\":\"ping\"}\n".into(), 400),
        ("TLS", "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03".into(), 400),
        ("a target that is no path", line("GET array HTTP/1.1"), 400),
        ("another scheme", line("GET ftp://h/ HTTP/1.1"), 400),
        ("an absolute target without a host", line("GET http:///a HTTP/1.1"), 400),
        ("an authority alone", line("CONNECT h:80 HTTP/1.1"), 400),
    ];
    for (name, text, status) in cases {
        assert_refused(name, text.as_bytes(), status);
    }
}

#[test]
fn a_space_in_the_target_is_no_question_of_versions() {
    for line in ["GET /a b HTTP/1.1", "GET /a b HTTP/1.0", "GET / HTTP/1.1 HTTP/1.1"] {
        assert_refused(line, format!("{line}\r\nHost: h\r\n\r\n").as_bytes(), 400);
    }
}

#[test]
fn a_request_line_may_be_as_long_as_the_limit_and_no_longer() {
    let line = |length: usize| {
        let rest = "GET / HTTP/1.1".len();
        format!("GET /{} HTTP/1.1", "a".repeat(length - rest))
    };
    for host in ["Host: h\r\n", "Host: h\r\nA: b\r\n"] {
        let text = format!("{}\r\n{host}\r\n", line(MAX_REQUEST_LINE_BYTES));
        request(text.as_bytes(), "a request line of exactly the limit");
        let text = format!("{}\r\n{host}\r\n", line(MAX_REQUEST_LINE_BYTES + 1));
        assert_refused("a request line above the limit", text.as_bytes(), 414);
    }
    let unfinished = "a".repeat(MAX_REQUEST_LINE_BYTES);
    assert_eq!(decode_whole(unfinished.as_bytes()), [], "the line end may follow");
    assert_eq!(decode_whole(format!("{unfinished}\r").as_bytes()), [], "its other half may follow");
    assert_refused("no room for a line end", format!("{unfinished}aaa").as_bytes(), 414);
}

#[test]
fn a_head_may_be_as_large_as_the_limit_and_no_larger() {
    let head = |size: usize, fields: usize| {
        let mut head = "GET / HTTP/1.1\r\nHost: h\r\n".to_owned();
        let each = (size - head.len() - "\r\n".len()) / fields;
        for _ in 1..fields {
            head += &format!("A: {}\r\n", "b".repeat(each - "A: \r\n".len()));
        }
        let last = size - head.len() - "\r\n".len();
        head += &format!("B: {}\r\n\r\n", "b".repeat(last - "B: \r\n".len()));
        assert_eq!(head.len(), size);
        head
    };
    for fields in [1, 2, 60] {
        request(head(MAX_HEAD_BYTES, fields).as_bytes(), "a head of exactly the limit");
        let above = head(MAX_HEAD_BYTES + 1, fields);
        assert_refused("a head above the limit", above.as_bytes(), 431);
        let unfinished = &head(2 * MAX_HEAD_BYTES, fields)[..MAX_HEAD_BYTES + 1];
        assert_refused("a head without an end", unfinished.as_bytes(), 431);
    }
}

#[test]
fn a_head_may_have_as_many_fields_as_the_limit_and_no_more() {
    let head = |fields: usize| {
        format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(fields - 1))
    };
    let headers = request(head(MAX_HEADERS).as_bytes(), "exactly the limit").head.headers;
    assert_eq!(headers.len(), MAX_HEADERS);
    assert_refused("one field above the limit", head(MAX_HEADERS + 1).as_bytes(), 431);
}

#[test]
fn a_body_may_be_as_long_as_the_limit_and_no_longer() {
    let body = "b".repeat(MAX_BODY);
    for length in [MAX_BODY.to_string(), format!("000{MAX_BODY}")] {
        let text = post(&length, &body);
        assert_eq!(request(text.as_bytes(), "exactly the limit").body, body.as_bytes());
    }
    // On the head alone.
    assert_refused("above the limit", post("101", "").as_bytes(), 413);
    assert_refused("way above the limit", post("99999999999999", "").as_bytes(), 413);
}

#[test]
fn a_body_is_waited_for_and_taken_off() {
    let mut decoder = Decoder::new(MAX_BODY);
    let mut input = BytesMut::from(&post("5", "[1,2")[..]);
    assert!(!decoder.is_in_body());
    assert_eq!(decoder.decode(&mut input), Decoded::Incomplete);
    assert!(decoder.is_in_body());
    input.extend_from_slice(b"]GET");
    let Decoded::Request(request) = decoder.decode(&mut input) else { panic!("it is whole") };
    assert_eq!(request.body, b"[1,2]");
    assert_eq!(&input[..], b"GET");
    assert!(!decoder.is_in_body());
}

#[test]
fn a_head_without_an_end_is_incomplete_wherever_it_stops() {
    let text = "\r\nGET /array HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n";
    for length in 0..text.len() {
        assert_eq!(decode_whole(&text.as_bytes()[..length]), [], "{:?}", &text[..length]);
    }
    assert_eq!(decode_whole(text.as_bytes()).len(), 1);
}

#[test]
fn what_follows_a_request_does_not_reach_into_it() {
    let good = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
    for bad in ["\0", "GET / HTTP/1.1\n", "GET / HTTP/2.0\r\n\r\n"] {
        let decoded = decode_whole(format!("{good}{bad}").as_bytes());
        assert!(
            matches!(&decoded[..], [Decoded::Request(_), Decoded::Refused(_)]),
            "{bad:?}: {decoded:?}"
        );
    }
}

#[test]
fn each_response_is_framed_as_its_request_and_status_allow() {
    use Framing::{Bodiless, Chunked, Length, UntilClose};
    let head = Exchange { is_head: true, ..KEPT };
    let old_head = Exchange { is_head: true, ..OLD };
    let old_kept = Exchange { keep_alive: true, ..OLD };
    let cases = [
        ("a known length", KEPT, 200, Some(5), Length(5)),
        ("no body", KEPT, 200, Some(0), Length(0)),
        ("an unknown length", KEPT, 200, None, Chunked),
        ("an unknown length, to be closed", CLOSED, 200, None, Chunked),
        ("a known length to HTTP/1.0", OLD, 200, Some(5), Length(5)),
        ("an unknown length to HTTP/1.0", OLD, 200, None, UntilClose),
        ("an unknown length to HTTP/1.0, to be kept", old_kept, 200, None, UntilClose),
        ("a known length to HEAD", head, 200, Some(5), Bodiless(Some(5))),
        ("an unknown length to HEAD", head, 200, None, Bodiless(None)),
        ("an unknown length to HEAD in HTTP/1.0", old_head, 200, None, Bodiless(None)),
        ("an error to HEAD", head, 404, Some(90), Bodiless(Some(90))),
        ("204", KEPT, 204, Some(5), Bodiless(None)),
        ("204 of unknown length", KEPT, 204, None, Bodiless(None)),
        ("304", KEPT, 304, Some(5), Bodiless(None)),
        ("304 to HEAD", head, 304, Some(5), Bodiless(None)),
        ("100", KEPT, 100, None, Bodiless(None)),
        ("a refusal", Exchange::REFUSED, 400, Some(5), Length(5)),
    ];
    for (name, exchange, status, length, expected) in cases {
        assert_eq!(framing(exchange, status, length), expected, "{name}");
    }
}

#[test]
fn heads_of_responses_encode_exactly() {
    let old_kept = Exchange { keep_alive: true, ..OLD };
    let cases = [
        ("a length", KEPT, 200, Framing::Length(5), "200 OK", "Content-Length: 5\r\n"),
        ("chunks", KEPT, 201, Framing::Chunked, "201 Created", "Transfer-Encoding: chunked\r\n"),
        ("no body", KEPT, 204, Framing::Bodiless(None), "204 No Content", ""),
        ("to HEAD", KEPT, 200, Framing::Bodiless(Some(7)), "200 OK", "Content-Length: 7\r\n"),
        (
            "a refusal",
            Exchange::REFUSED,
            431,
            Framing::Length(5),
            "431 Request Header Fields Too Large",
            "Content-Length: 5\r\nConnection: close\r\n",
        ),
        (
            "to HTTP/1.0",
            OLD,
            200,
            Framing::Length(5),
            "200 OK",
            "Content-Length: 5\r\nConnection: close\r\n",
        ),
        (
            "to HTTP/1.0, kept",
            old_kept,
            200,
            Framing::Length(5),
            "200 OK",
            "Content-Length: 5\r\nConnection: keep-alive\r\n",
        ),
        (
            "until the end of the connection",
            old_kept,
            200,
            Framing::UntilClose,
            "200 OK",
            "Connection: close\r\n",
        ),
    ];
    for (name, exchange, status, framing, line, fields) in cases {
        let head = head(exchange, status, &[("Content-Type", "text/plain")], framing);
        let expected =
            format!("HTTP/1.1 {line}\r\nDate: now\r\nContent-Type: text/plain\r\n{fields}\r\n");
        assert_eq!(head, expected, "{name}");
    }
}

#[test]
fn fields_that_would_break_a_head_are_dropped() {
    let dropped = [
        ("X", "a\r\nSet-Cookie: b"),
        ("X", "a\rb"),
        ("X", "a\nb"),
        ("X", "a\0b"),
        ("X", "\x7f"),
        ("X\r\nY", "a"),
        ("X Y", "a"),
        ("X:", "a"),
        ("", "a"),
        ("\u{e4}", "a"),
        ("Content-Length", "5"),
        ("content-length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("TRANSFER-ENCODING", "chunked"),
        ("Connection", "keep-alive"),
        ("Keep-Alive", "timeout=5"),
        ("Upgrade", "h2c"),
        ("Trailer", "X"),
        ("Date", "then"),
    ];
    let kept = [("X-y!#$%&'*+.^_`|~9", "a"), ("Empty", ""), ("Text", "a\tb \u{e4}")];
    let all: Vec<(&'static str, &'static str)> = dropped.into_iter().chain(kept).collect();
    assert_eq!(
        head(KEPT, 200, &all, Framing::Length(3)),
        "HTTP/1.1 200 OK\r\nDate: now\r\nX-y!#$%&'*+.^_`|~9: a\r\nEmpty: \r\nText: a\tb \u{e4}\r\n\
         Content-Length: 3\r\n\r\n"
    );
}

#[test]
fn chunks_encode_exactly() {
    let data = vec![b'x'; 0x1a2b];
    for (data, line) in [(&b"a"[..], "1\r\n"), (b"\r\n0\r\n\r\n", "7\r\n"), (&data, "1a2b\r\n")] {
        let mut out = BytesMut::from("before");
        encode_chunk(data, &mut out);
        assert_eq!(&out[..], [b"before", line.as_bytes(), data, b"\r\n"].concat());
    }
    assert_eq!(LAST_CHUNK, b"0\r\n\r\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_session_decodes_the_same_however_it_is_split(
        session in session(),
        sizes in piece_sizes(),
    ) {
        let Session { bytes, expected } = session;
        prop_assert_eq!(&decode_whole(&bytes), &expected);
        for at in 0..=bytes.len() {
            let (first, second) = bytes.split_at(at);
            prop_assert_eq!(&decode_pieces([first, second]), &expected, "split at {}", at);
        }
        prop_assert_eq!(&decode_pieces(bytes.chunks(1)), &expected, "byte by byte");
        prop_assert_eq!(&decode_pieces(pieces(&bytes, &sizes)), &expected, "{:?}", sizes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn garbage_decodes_the_same_however_it_is_split(
        garbage in garbage(),
        sizes in piece_sizes(),
    ) {
        let whole = decode_whole(&garbage);
        prop_assert_eq!(&decode_pieces(garbage.chunks(1)), &whole);
        prop_assert_eq!(&decode_pieces(pieces(&garbage, &sizes)), &whole);
    }

    #[test]
    fn a_damaged_session_decodes_the_same_however_it_is_split(
        session in session(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), damage()), 1..4),
        sizes in piece_sizes(),
    ) {
        let mut bytes = session.bytes;
        for (index, damage) in damage {
            let at = index.index(bytes.len());
            bytes.splice(at..=at, damage.bytes());
        }
        let whole = decode_whole(&bytes);
        prop_assert_eq!(&decode_pieces(bytes.chunks(1)), &whole);
        prop_assert_eq!(&decode_pieces(pieces(&bytes, &sizes)), &whole);
    }
}

fn post(length: &str, body: &str) -> String {
    format!("POST /array HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// The one request that these bytes are.
fn request(bytes: &[u8], name: &str) -> Request {
    let mut decoded = decode_whole(bytes);
    match (decoded.pop(), decoded.pop()) {
        (Some(Decoded::Request(request)), None) => request,
        (last, _) => panic!("{name}: {}", brief(&last)),
    }
}

/// The bytes are refused, whole and piece by piece.
fn assert_refused(name: &str, bytes: &[u8], status: u16) {
    for pieces in [vec![bytes], bytes.chunks(1).collect()] {
        match &decode_pieces(pieces)[..] {
            [Decoded::Refused(refusal)] => {
                assert_eq!(refusal.status, status, "{name}: {}", refusal.detail);
                assert_ne!(reason(status), "", "{status} has a phrase");
            }
            other => panic!("{name}: {}", brief(&other)),
        }
    }
}

/// The beginning of what would fill a screen.
fn brief(decoded: &impl std::fmt::Debug) -> String {
    format!("{decoded:?}").chars().take(200).collect()
}

/// All that comes of these bytes.
fn decode_whole(bytes: &[u8]) -> Vec<Decoded> {
    decode_pieces([bytes])
}

/// All that comes of bytes that arrive in these pieces; nothing comes after a refusal.
fn decode_pieces<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<Decoded> {
    let (mut decoder, mut input, mut all) = (Decoder::new(MAX_BODY), BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            let before = input.len();
            match decoder.decode(&mut input) {
                Decoded::Incomplete => break,
                Decoded::Refused(refusal) => {
                    all.push(Decoded::Refused(refusal));
                    return all;
                }
                request => {
                    assert!(input.len() < before, "nothing was taken off: {input:?}");
                    all.push(request);
                }
            }
        }
    }
    all
}

fn head(
    exchange: Exchange,
    status: u16,
    headers: &[(&'static str, &'static str)],
    framing: Framing,
) -> String {
    let headers: Vec<(Cow<'static, str>, Cow<'static, str>)> =
        headers.iter().map(|&(name, value)| (name.into(), value.into())).collect();
    let mut out = BytesMut::new();
    encode_head(exchange, status, &headers, framing, "now", &mut out);
    String::from_utf8(out.to_vec()).expect("heads are UTF-8")
}

fn piece_sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..60_usize, 1..12)
}

/// What a client sends, and what must come of it.
#[derive(Debug)]
struct Session {
    bytes: Vec<u8>,
    expected: Vec<Decoded>,
}

fn session() -> impl Strategy<Value = Session> {
    prop::collection::vec((sent(), 0..3_usize), 1..5).prop_map(|requests| {
        let mut session = Session { bytes: Vec::new(), expected: Vec::new() };
        for (request, empty_lines) in requests {
            session.bytes.extend_from_slice("\r\n".repeat(empty_lines).as_bytes());
            session.bytes.extend_from_slice(&request.bytes());
            session.expected.push(Decoded::Request(request.expected()));
        }
        session
    })
}

/// A request as a client means it.
#[derive(Debug)]
struct Sent {
    method: &'static str,
    target: &'static str,
    version: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: Option<Vec<u8>>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let header = prop::sample::select(vec![
        ("Accept", "*/*"),
        ("accept", ""),
        ("Content-Type", "application/json"),
        ("X-Long", "a b c d e f g h i j k l m n o p q r s t u v w x y z"),
    ]);
    (
        prop::sample::select(vec!["GET", "HEAD", "POST", "DELETE", "X"]),
        prop::sample::select(vec!["/", "/array", "/array?reply=count", "*"]),
        prop::sample::select(vec!["1.1", "1.0"]),
        prop::collection::vec(header, 0..3),
        // Bodies that look like requests, or like nothing.
        prop::option::of(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20),
            Just(b"[1,2,3]".to_vec()),
            Just(b"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec()),
        ]),
    )
        .prop_map(|(method, target, version, headers, body)| Sent {
            method,
            target,
            version,
            headers,
            body,
        })
}

impl Sent {
    fn fields(&self) -> Vec<(String, String)> {
        let length = self.body.as_ref().map(|body| ("Content-Length", body.len().to_string()));
        let given = self.headers.iter().map(|&(name, value)| (name, value.to_owned()));
        let fields = std::iter::once(("Host", "h".to_owned())).chain(given).chain(length);
        fields.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/{}\r\n", self.method, self.target, self.version);
        for (name, value) in self.fields() {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        [head.as_bytes(), self.body.as_deref().unwrap_or_default()].concat()
    }

    fn expected(&self) -> Request {
        let exchange = Exchange {
            is_head: self.method == "HEAD",
            knows_chunks: self.version == "1.1",
            keep_alive: self.version == "1.1",
        };
        let (method, target) = (self.method.to_owned(), self.target.to_owned());
        let head = Head { method, target, headers: self.fields(), exchange };
        Request { head, body: self.body.clone().unwrap_or_default() }
    }
}

/// Bytes that look now and then as if they meant something.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let fragments = vec![
        "GET ",
        "/",
        " HTTP/1.1",
        "\r\n",
        "Host: h\r\n",
        "\r",
        "\n",
        ":",
        " ",
        "\0",
        "A: b\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "\r\n\r\n",
        "http://h",
    ];
    let piece = prop_oneof![
        6 => prop::sample::select(fragments).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    (any::<bool>(), prop::collection::vec(piece, 0..30)).prop_map(|(starts_well, pieces)| {
        let start = if starts_well { &b"GET / HTTP/1.1\r\n"[..] } else { b"" };
        [start, &pieces.concat()].concat()
    })
}

/// What one byte is replaced with.
fn damage() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "\r",
        "\n",
        "\r\n",
        " ",
        ":",
        "\0",
        "9",
        ",",
        "a",
        "\u{ff}",
        "\r\n ",
        "Content-Length: 1\r\n",
    ])
}
