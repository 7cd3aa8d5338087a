use super::*;

use std::io::Read;

use proptest::prelude::*;

use crate::command::{ValueStream, Version};
use crate::wire::split::pieces;

/// More than any line here, unless a test is about the limit.
const AMPLE: usize = 1024 * 1024;

/// What came of one line.
type Outcome = Result<(Shape, Command), Error>;

#[test]
fn each_request_form_decodes() {
    let edges = "[-9223372036854775808,9223372036854775807,0]";
    let add = |values: &[i64], show| object(Command::Add { values: values.to_vec(), show });
    let cases = [
        ("a classic array", "[5,3,9]", classic(&[5, 3, 9])),
        ("an empty classic array", "[]", classic(&[])),
        ("the edges of i64", edges, classic(&[i64::MIN, i64::MAX, 0])),
        ("white space all over", " \t[ 5 ,\t3 ] ", classic(&[5, 3])),
        ("an add", r#"{"op":"add","values":[5,3]}"#, add(&[5, 3], Show::Count)),
        ("an add of nothing", r#"{"op":"add","values":[]}"#, add(&[], Show::Count)),
        (
            "an add that shows the count",
            r#"{"op":"add","values":[5],"reply":"count"}"#,
            add(&[5], Show::Count),
        ),
        (
            "an add that shows the batch",
            r#"{"op":"add","values":[5],"reply":"batch"}"#,
            add(&[5], Show::Batch),
        ),
        (
            "an add that shows the array",
            r#"{"op":"add","values":[5],"reply":"array"}"#,
            add(&[5], Show::Array),
        ),
        (
            "fields in another order",
            r#"{"reply":"batch","values":[5],"op":"add"}"#,
            add(&[5], Show::Batch),
        ),
        (
            "names with escapes",
            r#"{"\u006fp":"\u0061dd","v\u0061lues":[5],"reply":"b\u0061tch"}"#,
            add(&[5], Show::Batch),
        ),
        ("white space in an object", r#" { "op" : "ping" } "#, object(Command::Ping)),
        ("array", r#"{"op":"array"}"#, object(Command::Array(Selection::ALL))),
        ("count", r#"{"op":"count"}"#, object(Command::Count(Bounds::ALL))),
        ("clear", r#"{"op":"clear"}"#, object(Command::Clear)),
        ("ping", r#"{"op":"ping"}"#, object(Command::Ping)),
    ];
    for (name, line, expected) in cases {
        for line_end in ["\n", "\r\n"] {
            let decoded = decode_whole(format!("{line}{line_end}").as_bytes(), AMPLE);
            assert_eq!(decoded, std::slice::from_ref(&expected), "{name}");
        }
    }
}

#[test]
fn each_refusal_has_its_code_and_leaves_the_next_line_alone() {
    use ErrorCode::{BadJson, BadRequest, UnknownOp};
    let cases: &[(&str, &[u8], ErrorCode)] = &[
        ("an unknown operation", br#"{"op":"sort"}"#, UnknownOp),
        ("an operation in upper case", br#"{"op":"PING"}"#, UnknownOp),
        ("an operation without a name", br#"{"op":""}"#, UnknownOp),
        ("no operation", br#"{"values":[1]}"#, BadRequest),
        ("an empty object", b"{}", BadRequest),
        ("an operation that is no string", br#"{"op":5}"#, BadRequest),
        ("an operation that is null", br#"{"op":null}"#, BadRequest),
        ("an unknown field", br#"{"op":"ping","x":1}"#, BadRequest),
        ("an unknown field of an add", br#"{"op":"add","values":[1],"all":true}"#, BadRequest),
        ("an unknown field before the operation", br#"{"x":1,"op":"ping"}"#, BadRequest),
        ("a repeated operation", br#"{"op":"ping","op":"ping"}"#, BadRequest),
        ("repeated values", br#"{"op":"add","values":[1],"values":[1]}"#, BadRequest),
        (
            "a repeated reply",
            br#"{"op":"add","values":[1],"reply":"count","reply":"count"}"#,
            BadRequest,
        ),
        ("values that nobody takes", br#"{"op":"ping","values":[1]}"#, BadRequest),
        ("a reply that nobody takes", br#"{"op":"count","reply":"count"}"#, BadRequest),
        ("an add without values", br#"{"op":"add"}"#, BadRequest),
        ("values that are no array", br#"{"op":"add","values":5}"#, BadRequest),
        ("values that are null", br#"{"op":"add","values":null}"#, BadRequest),
        ("values that are an object", br#"{"op":"add","values":{"0":1}}"#, BadRequest),
        ("an unknown reply", br#"{"op":"add","values":[1],"reply":"all"}"#, BadRequest),
        ("a reply that is no string", br#"{"op":"add","values":[1],"reply":1}"#, BadRequest),
        ("a float", b"[1.5]", BadRequest),
        ("a whole float", b"[1.0]", BadRequest),
        ("an exponent", b"[1e2]", BadRequest),
        ("a float beyond all floats", b"[1e999]", BadRequest),
        ("a float below all floats", b"[-1e999]", BadRequest),
        ("a nested float beyond all floats", br#"{"op":"ping","x":[1e999]}"#, BadRequest),
        ("a string", br#"["1"]"#, BadRequest),
        ("true", b"[true]", BadRequest),
        ("null", b"[null]", BadRequest),
        ("2^63", b"[9223372036854775808]", BadRequest),
        ("-2^63 - 1", b"[-9223372036854775809]", BadRequest),
        ("2^64", b"[18446744073709551616]", BadRequest),
        ("an array in an array", b"[[1]]", BadRequest),
        ("an object in an array", br#"[{"op":"ping"}]"#, BadRequest),
        ("a bare integer", b"5", BadRequest),
        ("a bare string", br#""ping""#, BadRequest),
        ("a bare null", b"null", BadRequest),
        ("a word", b"hello", BadJson),
        ("an array without an end", b"[1,2", BadJson),
        ("an object without an end", br#"{"op":"ping""#, BadJson),
        ("a string without an end", br#"{"op":"ping"#, BadJson),
        ("a comma at the end", b"[1,]", BadJson),
        ("a comma at the start", b"[,1]", BadJson),
        ("no comma", b"[1 2]", BadJson),
        ("one bracket too many", b"[1]]", BadJson),
        ("two arrays", b"[1][2]", BadJson),
        ("something after an object", br#"{"op":"ping"} x"#, BadJson),
        ("a name without a value", br#"{"op"}"#, BadJson),
        ("a name that is no string", b"{1:2}", BadJson),
        ("single quotes", b"{'op':'ping'}", BadJson),
        ("a leading zero", b"[01]", BadJson),
        ("a plus sign", b"[+1]", BadJson),
        ("a minus sign alone", b"[-]", BadJson),
        ("hexadecimal", b"[0x10]", BadJson),
        ("not a number", b"[NaN]", BadJson),
        ("a byte order mark", b"\xef\xbb\xbf[1]", BadJson),
        ("bad UTF-8 in a string", b"{\"op\":\"\xff\"}", BadJson),
        ("bad UTF-8 in a name", b"{\"\xc3\x28\":1}", BadJson),
        ("bad UTF-8 outside of strings", b"[\xff]", BadJson),
        ("half a surrogate pair", br#"{"op":"\ud800"}"#, BadJson),
        ("NUL in an array", b"[1,\0]", BadJson),
        ("NUL in a string", b"{\"op\":\"pi\0ng\"}", BadJson),
        ("NUL alone", b"\0", BadJson),
        ("a carriage return inside", b"[1,\r2\r3]", BadJson),
    ];
    for (name, line, code) in cases {
        assert_refused(name, line, *code);
    }
}

#[test]
fn nesting_of_any_depth_is_refused_without_harm() {
    const DEPTH: usize = 100_000;
    let nested = |open: &str, close: &str| (open.repeat(DEPTH) + &close.repeat(DEPTH)).into_bytes();
    assert_refused("open brackets", &nested("[", ""), ErrorCode::BadJson);
    assert_refused("brackets", &nested("[", "]"), ErrorCode::BadRequest);
    assert_refused("open objects", &nested("{\"x\":", ""), ErrorCode::BadJson);
    assert_refused("both", &nested("[{\"x\":", ""), ErrorCode::BadJson);
    let in_a_field = [br#"{"op":"ping","x":"#, &nested("[", "]")[..], b"}"].concat();
    assert_refused("in a field", &in_a_field, ErrorCode::BadRequest);
    let as_values = [br#"{"op":"add","values":"#, &nested("[", "]")[..], b"}"].concat();
    assert_refused("as values", &as_values, ErrorCode::BadRequest);
    let as_operation = [br#"{"op":"#, &nested("[", "]")[..], b"}"].concat();
    assert_refused("as the operation", &as_operation, ErrorCode::BadRequest);
}

#[test]
fn the_position_of_a_bad_value_is_named() {
    let bad = [
        "1.5",
        "\"7\"",
        "9223372036854775808",
        "-9223372036854775809",
        "true",
        "null",
        "[1,2]",
        "{\"a\":[1]}",
    ];
    for element in bad {
        for (position, before) in ["", "7,", "7,-8,", "7,-8,9,"].into_iter().enumerate() {
            let array = format!("[{before}{element},10]");
            for line in [array.clone(), format!("{{\"op\":\"add\",\"values\":{array}}}")] {
                let error = refusal(line.as_bytes());
                assert_eq!(error.code, ErrorCode::BadRequest, "{line}");
                let named = format!("position {position} ");
                assert!(error.message.contains(&named), "{line}: {}", error.message);
            }
        }
    }
}

#[test]
fn a_refusal_is_short_however_long_the_request() {
    let long = "x".repeat(AMPLE / 4);
    let cases = [
        ("operation", format!(r#"{{"op":"{long}"}}"#)),
        ("unknown field", format!(r#"{{"op":"ping","{long}":1}}"#)),
        ("string for values", format!(r#"{{"op":"add","values":"{long}"}}"#)),
        ("string for a value", format!(r#"["{long}"]"#)),
        ("reply", format!(r#"{{"op":"add","values":[],"reply":"{long}"}}"#)),
        ("text", format!("[{long}]")),
    ];
    for (name, line) in cases {
        let length = refusal(line.as_bytes()).message.len();
        assert!(length <= 1024, "{name}: a message of {length} bytes");
    }
}

#[test]
fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
    // What comes in, what comes of it, and what comes of it when no more will come.
    let limit = 8;
    let request = || Some(classic(&[10, 200]));
    let cases: [(&str, &str, Option<Outcome>, Option<Outcome>); 10] = [
        ("the limit and a line feed", "[10,200]\n", request(), request()),
        ("the limit and both line ends", "[10,200]\r\n", request(), request()),
        ("the limit and no line end", "[10,200]", None, request()),
        ("the limit and half a line end", "[10,200]\r", None, request()),
        ("white space up to the limit", "        \n", None, None),
        ("one above and a line feed", "[10,2000]\n", Some(too_large()), Some(too_large())),
        ("one above and both line ends", "[10,2000]\r\n", Some(too_large()), Some(too_large())),
        ("one above and no line end", "[10,2000]", Some(too_large()), Some(too_large())),
        ("one above by white space", "[10,200] \n", Some(too_large()), Some(too_large())),
        ("one above by nothing else", "         ", Some(too_large()), Some(too_large())),
    ];
    for (name, text, expected, expected_at_end) in cases {
        for (at_end, expected) in [(false, expected), (true, expected_at_end)] {
            let mut input = BytesMut::from(text);
            let outcome = outcome(Decoder::new(limit).decode(&mut input, at_end));
            assert_eq!(outcome.map(code_only), expected, "{name}, at the end: {at_end}");
        }
        let split = decode_pieces(text.as_bytes().chunks(1), limit);
        assert_eq!(split, decode_whole(text.as_bytes(), limit), "{name}");
    }
}

#[test]
fn lines_before_one_that_is_too_large_count() {
    let decoded = decode_whole(b"[1]\n[2]\n[1,2,3,4]\n[3]\n", 8);
    let decoded: Vec<Outcome> = decoded.into_iter().map(code_only).collect();
    assert_eq!(decoded, [classic(&[1]), classic(&[2]), too_large()]);
}

#[test]
fn empty_lines_are_skipped_and_taken_off() {
    let mut decoder = Decoder::new(AMPLE);
    let mut input = BytesMut::from("\n\r\n \t \n\r\n[1]\n\n");
    assert_eq!(outcome(decoder.decode(&mut input, false)), Some(classic(&[1])));
    assert_eq!(decoder.decode(&mut input, false), Decoded::Incomplete);
    assert!(input.is_empty());
}

#[test]
fn a_line_without_an_end_counts_only_at_the_end() {
    let mut decoder = Decoder::new(AMPLE);
    let mut input = BytesMut::from("[1]\n[2]");
    assert_eq!(outcome(decoder.decode(&mut input, false)), Some(classic(&[1])));
    assert_eq!(decoder.decode(&mut input, false), Decoded::Incomplete);
    assert_eq!(&input[..], b"[2]");
    assert_eq!(outcome(decoder.decode(&mut input, true)), Some(classic(&[2])));
    assert_eq!(decoder.decode(&mut input, true), Decoded::Incomplete);
    assert!(input.is_empty());

    let mut white_space = BytesMut::from(" \t ");
    assert_eq!(decoder.decode(&mut white_space, true), Decoded::Incomplete);
    assert!(white_space.is_empty());

    let mut half = BytesMut::from("[1,2");
    let Decoded::Refused(error) = decoder.decode(&mut half, true) else {
        panic!("half a line is no request")
    };
    assert_eq!(error.code, ErrorCode::BadJson);
    assert!(half.is_empty());
}

#[test]
fn each_reply_encodes_to_exactly_its_line() {
    use Shape::{Classic, Object};
    let values = |values: &[i64]| ValueStream::new(Vec::from(values).into_iter());
    let added =
        |shown: Option<&[i64]>| Reply::Added { added: 2, count: 3, values: shown.map(values) };
    let error = || {
        Reply::Error(Error::new(ErrorCode::BadRequest, "a \"quote\",\na line end and a \\ in one"))
    };
    let error_line = concat!(
        r#"{"error":{"code":"bad_request","#,
        r#""message":"a \"quote\",\na line end and a \\ in one"}}"#,
        "\n"
    );
    let version = Version { run: 0, state: (0, 0) };
    let array = Reply::Array { count: 2, shown: 2, values: values(&[i64::MIN, i64::MAX]), version };
    let array_line = "{\"count\":2,\"values\":[-9223372036854775808,9223372036854775807]}\n";
    let cases = [
        ("pong", Object, Reply::Pong, "{\"pong\":true}\n"),
        ("ready", Object, Reply::Ready, "{\"ready\":true}\n"),
        ("an add", Object, added(None), "{\"added\":2,\"count\":3}\n"),
        (
            "an add that shows values",
            Object,
            added(Some(&[3, 5])),
            "{\"added\":2,\"count\":3,\"values\":[3,5]}\n",
        ),
        (
            "an add that shows none",
            Object,
            added(Some(&[])),
            "{\"added\":2,\"count\":3,\"values\":[]}\n",
        ),
        ("an array", Object, array, array_line),
        ("a count", Object, Reply::Count(7), "{\"count\":7}\n"),
        ("a removal", Object, Reply::Removed(u64::MAX), "{\"removed\":18446744073709551615}\n"),
        ("an error", Object, error(), error_line),
        ("a classic add", Classic, added(Some(&[-1, 3, 5])), "[-1,3,5]\n"),
        ("a classic add of nothing to nothing", Classic, added(Some(&[])), "[]\n"),
        ("an error to a classic add", Classic, error(), error_line),
    ];
    for (name, shape, reply, expected) in cases {
        assert_eq!(encode_whole(reply, shape), expected, "{name}");
    }
}

#[test]
fn each_error_names_its_code() {
    let cases = [
        (ErrorCode::BadJson, "bad_json", false),
        (ErrorCode::BadRequest, "bad_request", false),
        (ErrorCode::UnknownOp, "unknown_op", false),
        (ErrorCode::TooLarge, "too_large", true),
        (ErrorCode::Timeout, "timeout", true),
        (ErrorCode::TooManyConnections, "too_many_connections", true),
        (ErrorCode::ShuttingDown, "shutting_down", true),
    ];
    for (code, name, closes) in cases {
        let line = encode_whole(Reply::Error(Error::new(code, "why")), Shape::Object);
        let expected = format!("{{\"error\":{{\"code\":\"{name}\",\"message\":\"why\"}}}}\n");
        assert_eq!((line, code.closes()), (expected, closes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_session_decodes_the_same_however_it_is_split(
        session in session(),
        sizes in piece_sizes(),
    ) {
        let Session { bytes, expected } = session;
        let whole = decode_whole(&bytes, AMPLE);
        let known: Vec<Outcome> = whole.iter().cloned().map(code_only).collect();
        prop_assert_eq!(known, expected);
        for at in 0..=bytes.len() {
            let (first, second) = bytes.split_at(at);
            prop_assert_eq!(&decode_pieces([first, second], AMPLE), &whole, "split at {}", at);
        }
        prop_assert_eq!(&decode_pieces(bytes.chunks(1), AMPLE), &whole, "byte by byte");
        prop_assert_eq!(&decode_pieces(pieces(&bytes, &sizes), AMPLE), &whole, "{:?}", sizes);
    }

    #[test]
    fn garbage_makes_progress_and_decodes_the_same_however_it_is_split(
        garbage in garbage(),
        sizes in piece_sizes(),
    ) {
        for limit in [16, AMPLE] {
            let whole = decode_whole(&garbage, limit);
            prop_assert_eq!(&decode_pieces(garbage.chunks(1), limit), &whole);
            prop_assert_eq!(&decode_pieces(pieces(&garbage, &sizes), limit), &whole);
        }
    }

    #[test]
    fn a_line_after_a_line_of_garbage_decodes(garbage in garbage()) {
        let mut bytes: Vec<u8> = garbage.into_iter().filter(|&byte| byte != b'\n').collect();
        bytes.extend_from_slice(b"\n{\"op\":\"ping\"}\n[7]\n");
        let decoded = decode_whole(&bytes, AMPLE);
        prop_assert!(decoded.ends_with(&[object(Command::Ping), classic(&[7])]), "{:?}", decoded);
        prop_assert!(decoded.len() <= 3, "one line, one reply: {:?}", decoded);
    }
}

fn classic(values: &[i64]) -> Outcome {
    Ok((Shape::Classic, Command::Add { values: values.to_vec(), show: Show::Array }))
}

fn object(command: Command) -> Outcome {
    Ok((Shape::Object, command))
}

fn refused(code: ErrorCode) -> Outcome {
    Err(Error::new(code, ""))
}

fn too_large() -> Outcome {
    refused(ErrorCode::TooLarge)
}

/// The same without the message, which is for people.
fn code_only(outcome: Outcome) -> Outcome {
    outcome.map_err(|error| Error::new(error.code, ""))
}

fn outcome(decoded: Decoded) -> Option<Outcome> {
    match decoded {
        Decoded::Incomplete => None,
        Decoded::Request(shape, command) => Some(Ok((shape, command))),
        Decoded::Unparsed(line) => {
            assert!(line.len() > MAX_PARSED_BYTES, "it could have been parsed in passing");
            Some(parse(&line))
        }
        Decoded::Refused(error) => Some(Err(error)),
    }
}

/// All that comes of these bytes, the line that does not end included.
fn decode_whole(bytes: &[u8], limit: usize) -> Vec<Outcome> {
    decode_pieces([bytes], limit)
}

/// All that comes of bytes that arrive in these pieces.
fn decode_pieces<'p>(pieces: impl IntoIterator<Item = &'p [u8]>, limit: usize) -> Vec<Outcome> {
    let (mut decoder, mut input, mut all) = (Decoder::new(limit), BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        if !decode_available(&mut decoder, &mut input, false, &mut all) {
            return all;
        }
    }
    decode_available(&mut decoder, &mut input, true, &mut all);
    all
}

/// Decodes until there is no whole line, or none can follow: then returns false.
fn decode_available(
    decoder: &mut Decoder,
    input: &mut BytesMut,
    at_end: bool,
    all: &mut Vec<Outcome>,
) -> bool {
    loop {
        let before = input.len();
        let Some(outcome) = outcome(decoder.decode(input, at_end)) else {
            assert!(!input.contains(&b'\n'), "a whole line is left: {input:?}");
            assert!(!at_end || input.is_empty(), "a last line is left: {input:?}");
            return true;
        };
        let is_last = matches!(&outcome, Err(error) if error.code.closes());
        assert!(is_last || input.len() < before, "nothing was taken off: {input:?}");
        all.push(outcome);
        if is_last {
            return false;
        }
    }
}

fn assert_refused(name: &str, line: &[u8], code: ErrorCode) {
    let decoded = decode_whole(&[line, b"\n[7]\n"].concat(), 2 * AMPLE);
    let decoded: Vec<Outcome> = decoded.into_iter().map(code_only).collect();
    assert_eq!(decoded, [refused(code), classic(&[7])], "{name}");
}

/// Why this line is refused.
fn refusal(line: &[u8]) -> Error {
    let mut decoded = decode_whole(line, 2 * AMPLE);
    match (decoded.pop(), decoded.pop()) {
        (Some(Err(error)), None) => error,
        other => panic!("{other:?}"),
    }
}

fn encode_whole(reply: Reply, shape: Shape) -> String {
    let mut line = BytesMut::new();
    let mut text = Vec::new();
    if let Some(mut document) = encode(reply, shape, &mut line) {
        assert!(line.is_empty(), "a document is all there is");
        document.read_to_end(&mut text).expect("a document never fails");
    }
    text.extend_from_slice(&line);
    String::from_utf8(text).expect("replies are UTF-8")
}

fn piece_sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..40_usize, 1..12)
}

/// What a client sends, and what must come of it.
#[derive(Debug)]
struct Session {
    bytes: Vec<u8>,
    expected: Vec<Outcome>,
}

fn session() -> impl Strategy<Value = Session> {
    let line_end = prop_oneof![Just("\n"), Just("\r\n"), Just("\n\n"), Just(" \r\n \n")];
    let lines = prop::collection::vec((line(), line_end), 1..7);
    (lines, any::<bool>()).prop_map(|(lines, last_line_ends)| {
        let mut session = Session { bytes: Vec::new(), expected: Vec::new() };
        let last = lines.len() - 1;
        for (index, ((line, decoded), line_end)) in lines.into_iter().enumerate() {
            session.bytes.extend_from_slice(line.as_bytes());
            if index < last || last_line_ends {
                session.bytes.extend_from_slice(line_end.as_bytes());
            }
            session.expected.push(decoded);
        }
        session
    })
}

/// A line and what must come of it.
fn line() -> impl Strategy<Value = (String, Outcome)> {
    let shows = prop_oneof![
        Just(("", Show::Count)),
        Just((r#","reply":"count""#, Show::Count)),
        Just((r#","reply":"batch""#, Show::Batch)),
        Just((r#","reply":"array""#, Show::Array)),
    ];
    let fixed = [
        (r#"{"op":"array"}"#, object(Command::Array(Selection::ALL))),
        (r#"{"op":"count"}"#, object(Command::Count(Bounds::ALL))),
        (r#"{"op":"clear"}"#, object(Command::Clear)),
        (r#"{"op":"ping"}"#, object(Command::Ping)),
        (r#"{"op":"pong"}"#, refused(ErrorCode::UnknownOp)),
        (r#"{"op":"ping","values":[]}"#, refused(ErrorCode::BadRequest)),
        ("[1,2.5]", refused(ErrorCode::BadRequest)),
        ("[1,2", refused(ErrorCode::BadJson)),
        ("what?", refused(ErrorCode::BadJson)),
    ];
    prop_oneof![
        3 => values().prop_map(|values| (array(&values), classic(&values))),
        3 => (values(), shows).prop_map(|(values, (reply, show))| {
            let line = format!(r#"{{"op":"add","values":{}{reply}}}"#, array(&values));
            (line, object(Command::Add { values, show }))
        }),
        3 => prop::sample::select(fixed.to_vec())
            .prop_map(|(line, decoded)| (line.to_owned(), decoded)),
    ]
}

fn values() -> impl Strategy<Value = Vec<i64>> {
    let value = prop_oneof![4 => -99..99_i64, 1 => any::<i64>(), 1 => Just(i64::MIN)];
    prop::collection::vec(value, 0..5)
}

fn array(values: &[i64]) -> String {
    serde_json::to_string(values).expect("integers are JSON")
}

/// Bytes that look now and then as if they meant something.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let fragments = [
        "[",
        "]",
        "{",
        "}",
        "\"",
        ",",
        ":",
        "\n",
        "\r\n",
        " ",
        "\0",
        "-",
        "1",
        ".",
        "e9",
        "\"op\"",
        "\"values\"",
        "\"add\"",
        "\"ping\"",
        "[1]",
        "\\",
        "\\u",
    ];
    let piece = prop_oneof![
        4 => prop::sample::select(fragments.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}
