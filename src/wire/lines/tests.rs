use super::*;

use std::io::Read;

use proptest::prelude::*;

use crate::command::ValueStream;
use crate::wire::split::pieces;

/// More than any line here, unless a test is about the limit.
const AMPLE: usize = 1024 * 1024;

/// What came of one line.
type Outcome = (Shape, Result<Request, Error>);

#[test]
fn each_request_form_decodes() {
    let edges = "[-9223372036854775808,9223372036854775807,0]";
    let add = |values: &[i64], show| object(Command::Add { values: values.to_vec(), show });
    let remove = |values: &[i64], all| object(Command::Remove { values: values.to_vec(), all });
    let pop = |end, n| object(Command::Pop { end, n });
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
        ("rank", r#"{"op":"rank","value":-5}"#, object(Command::Rank { value: -5 })),
        ("at", r#"{"op":"at","index":-1}"#, object(Command::At { index: -1 })),
        (
            "quantiles",
            r#"{"op":"quantiles","q":[0.5,1,0]}"#,
            object(Command::Quantiles { q: vec![0.5, 1.0, 0.0] }),
        ),
        ("min", r#"{"op":"min"}"#, object(Command::Extreme(End::Min))),
        ("max", r#"{"op":"max"}"#, object(Command::Extreme(End::Max))),
        ("remove", r#"{"op":"remove","values":[5,5]}"#, remove(&[5, 5], false)),
        ("remove one each", r#"{"op":"remove","values":[],"all":false}"#, remove(&[], false)),
        ("remove all", r#"{"all":true,"op":"remove","values":[5]}"#, remove(&[5], true)),
        (
            "remove a range",
            r#"{"op":"remove_range","min":-9223372036854775808,"max":5}"#,
            object(Command::RemoveRange(Bounds { min: i64::MIN, max: 5 })),
        ),
        ("pop_min", r#"{"op":"pop_min"}"#, pop(End::Min, 1)),
        ("pop_min of several", r#"{"op":"pop_min","n":3}"#, pop(End::Min, 3)),
        ("pop_max", r#"{"op":"pop_max"}"#, pop(End::Max, 1)),
        ("pop_max of none", r#"{"op":"pop_max","n":0}"#, pop(End::Max, 0)),
        ("clear", r#"{"op":"clear"}"#, object(Command::Clear)),
        ("stats", r#"{"op":"stats"}"#, object(Command::Stats)),
        ("ping", r#"{"op":"ping"}"#, object(Command::Ping)),
        (
            "auth",
            r#"{"op":"auth","token":"a \u20ac"}"#,
            (Shape::PLAIN, Ok(Request::Auth { token: "a \u{20ac}".to_owned() })),
        ),
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
        ("a rank of nothing", br#"{"op":"rank"}"#, BadRequest),
        ("a rank of a float", br#"{"op":"rank","value":1.5}"#, BadRequest),
        ("at no index", br#"{"op":"at"}"#, BadRequest),
        ("at a string", br#"{"op":"at","index":"0"}"#, BadRequest),
        ("quantiles of nothing", br#"{"op":"quantiles"}"#, BadRequest),
        ("no quantiles", br#"{"op":"quantiles","q":[]}"#, BadRequest),
        ("a quantile above one", br#"{"op":"quantiles","q":[1.5]}"#, BadRequest),
        ("a quantile that is no array", br#"{"op":"quantiles","q":0.5}"#, BadRequest),
        ("repeated quantiles", br#"{"op":"quantiles","q":[1],"q":[1]}"#, BadRequest),
        ("quantiles that nobody takes", br#"{"op":"min","q":[1]}"#, BadRequest),
        ("a minimum above something", br#"{"op":"min","min":1}"#, BadRequest),
        ("a removal of nothing", br#"{"op":"remove"}"#, BadRequest),
        ("a removal of a value", br#"{"op":"remove","value":5}"#, BadRequest),
        ("a removal of a float", br#"{"op":"remove","values":[5.5]}"#, BadRequest),
        ("all that is no flag", br#"{"op":"remove","values":[5],"all":1}"#, BadRequest),
        ("a range without bounds", br#"{"op":"remove_range"}"#, BadRequest),
        ("a range without an end", br#"{"op":"remove_range","min":1}"#, BadRequest),
        ("a range without a start", br#"{"op":"remove_range","max":1}"#, BadRequest),
        ("a pop of less than none", br#"{"op":"pop_min","n":-1}"#, BadRequest),
        ("a pop of a float", br#"{"op":"pop_max","n":1.0}"#, BadRequest),
        ("an end of a pop", br#"{"op":"pop_max","end":"min"}"#, BadRequest),
        ("auth without a token", br#"{"op":"auth"}"#, BadRequest),
        ("a token that is no string", br#"{"op":"auth","token":1}"#, BadRequest),
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
            let lines = [
                array.clone(),
                format!("{{\"op\":\"add\",\"values\":{array}}}"),
                format!("{{\"op\":\"remove\",\"values\":{array}}}"),
            ];
            for line in lines {
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
    let Decoded::Refused(Shape::PLAIN, error) = decoder.decode(&mut half, true) else {
        panic!("half a line is no request")
    };
    assert_eq!(error.code, ErrorCode::BadJson);
    assert!(half.is_empty());
}

#[test]
fn a_reply_follows_the_form_of_its_request() {
    let values = |values: &[i64]| ValueStream::new(Vec::from(values).into_iter());
    let added = |shown: &[i64]| Reply::Added { added: 2, count: 3, values: Some(values(shown)) };
    let error = || Reply::Error(Error::new(ErrorCode::Full, "why"));
    let cases = [
        (Shape::PLAIN, added(&[3, 5]), r#"{"added":2,"count":3,"values":[3,5]}"#),
        (Shape::PLAIN, added(&[]), r#"{"added":2,"count":3,"values":[]}"#),
        (Shape::PLAIN, Reply::Count(7), r#"{"count":7}"#),
        (Shape::PLAIN, error(), r#"{"error":{"code":"full","message":"why"}}"#),
        (with_id("7"), added(&[3, 5]), r#"{"id":7,"added":2,"count":3,"values":[3,5]}"#),
        (with_id("null"), Reply::Count(7), r#"{"id":null,"count":7}"#),
        (with_id(r#""a""#), error(), r#"{"id":"a","error":{"code":"full","message":"why"}}"#),
        (Shape::Classic, added(&[-1, 3, 5]), "[-1,3,5]"),
        (Shape::Classic, added(&[]), "[]"),
        (Shape::Classic, error(), r#"{"error":{"code":"full","message":"why"}}"#),
    ];
    for (shape, reply, expected) in cases {
        assert_eq!(encode_whole(reply, shape), format!("{expected}\n"));
    }
    for (shape, expected) in
        [(Shape::PLAIN, "{\"ok\":true}\n"), (with_id("[1]"), "{\"id\":[1],\"ok\":true}\n")]
    {
        let mut line = BytesMut::new();
        encode_admission(&shape, &mut line);
        assert_eq!(line, expected);
    }
}

#[test]
fn an_id_is_found_wherever_it_stands_and_whatever_else_is_wrong() {
    let seven = || with_id("7");
    let cases = [
        (r#"{"id":7,"op":"ping"}"#, seven(), None),
        (r#"{"op":"ping","id":7}"#, seven(), None),
        (r#"{"op":"ping","\u0069d" : [ 7 , {"a": "b c"} ] }"#, with_id(r#"[7,{"a":"b c"}]"#), None),
        (r#"{"op":"ping","id":null}"#, with_id("null"), None),
        (r#"{"op":"sort","id":7}"#, seven(), Some(ErrorCode::UnknownOp)),
        (r#"{"id":7}"#, seven(), Some(ErrorCode::BadRequest)),
        (r#"{"op":"ping","x":1,"id":7}"#, seven(), Some(ErrorCode::BadRequest)),
        (r#"{"op":"add","values":[1.5],"id":7}"#, seven(), Some(ErrorCode::BadRequest)),
        (r#"{"op":"add","values":{"id":8},"id":7}"#, seven(), Some(ErrorCode::BadRequest)),
        (r#"{"op":"ping","op":"ping","id":7}"#, seven(), Some(ErrorCode::BadRequest)),
        // Of two the first.
        (r#"{"id":7,"op":"ping","id":8}"#, seven(), Some(ErrorCode::BadRequest)),
        (r#"{"id":7,"op":"ping""#, seven(), Some(ErrorCode::BadJson)),
        (r#"{"id":7,what}"#, Shape::PLAIN, Some(ErrorCode::BadJson)),
        (r#"{"id":7,"op":what}"#, seven(), Some(ErrorCode::BadJson)),
        (r#"{"id":7} x"#, seven(), Some(ErrorCode::BadJson)),
        // It may have been 70.
        (r#"{"id":7"#, Shape::PLAIN, Some(ErrorCode::BadJson)),
        (r#"{"op":what,"id":7}"#, Shape::PLAIN, Some(ErrorCode::BadJson)),
        (r#"[{"id":7}]"#, Shape::PLAIN, Some(ErrorCode::BadRequest)),
    ];
    for (line, expected, code) in cases {
        let (shape, parsed) = parse(line.as_bytes());
        assert_eq!(shape, expected, "{line}");
        assert_eq!(parsed.err().map(|error| error.code), code, "{line}");
    }
    let too_long = format!(r#"{{"id":"{}","op":"ping"}}"#, "x".repeat(Id::MAX_BYTES));
    let (shape, parsed) = parse(too_long.as_bytes());
    assert_eq!(shape, Shape::PLAIN);
    assert_eq!(parsed.expect_err("it is too long").code, ErrorCode::BadRequest);
}

#[test]
fn a_line_that_is_not_parsed_yet_tells_an_id_that_comes_early() {
    let values = vec!["7"; MAX_PARSED_BYTES].join(",");
    for (line, expected) in [
        (format!("{{\"id\":7,\"op\":\"add\",\"values\":[{values}]}}\n"), with_id("7")),
        (format!("{{\"op\":\"add\",\"values\":[{values}],\"id\":7}}\n"), Shape::PLAIN),
        (format!("[{values}]\n"), Shape::PLAIN),
    ] {
        let mut input = BytesMut::from(line.as_bytes());
        let Decoded::Unparsed(shape, line) = Decoder::new(AMPLE).decode(&mut input, false) else {
            panic!("it takes long to parse")
        };
        assert_eq!(shape, expected);
        assert!(parse(&line).1.is_ok());
    }
    // Every number that is cut by the end of what is looked at.
    for spaces in MAX_PARSED_BYTES - 16..MAX_PARSED_BYTES {
        let line = format!("{{\"id\":{}123456,\"op\":\"ping\"}}\n", " ".repeat(spaces));
        let mut input = BytesMut::from(line.as_bytes());
        let Decoded::Unparsed(shape, _) = Decoder::new(AMPLE).decode(&mut input, false) else {
            panic!("it takes long to parse")
        };
        assert!([with_id("123456"), Shape::PLAIN].contains(&shape), "{shape:?}");
    }
}

#[test]
fn each_error_names_its_code() {
    let cases = [
        (ErrorCode::BadJson, "bad_json", false),
        (ErrorCode::BadRequest, "bad_request", false),
        (ErrorCode::UnknownOp, "unknown_op", false),
        (ErrorCode::OutOfRange, "out_of_range", false),
        (ErrorCode::Busy, "busy", false),
        (ErrorCode::Full, "full", false),
        (ErrorCode::TooLarge, "too_large", true),
        (ErrorCode::Timeout, "timeout", true),
        (ErrorCode::TooManyConnections, "too_many_connections", true),
        (ErrorCode::ShuttingDown, "shutting_down", true),
    ];
    for (code, name, closes) in cases {
        let line = encode_whole(Reply::Error(Error::new(code, "why")), Shape::PLAIN);
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
    let add = Command::Add { values: values.to_vec(), show: Show::Array };
    (Shape::Classic, Ok(Request::Command(add)))
}

fn object(command: Command) -> Outcome {
    (Shape::PLAIN, Ok(Request::Command(command)))
}

fn refused(code: ErrorCode) -> Outcome {
    (Shape::PLAIN, Err(Error::new(code, "")))
}

fn with_id(text: &str) -> Shape {
    Shape::Object(Some(json::parse(text.as_bytes()).expect("it is JSON")))
}

fn too_large() -> Outcome {
    refused(ErrorCode::TooLarge)
}

/// The same without the message, which is for people.
fn code_only((shape, outcome): Outcome) -> Outcome {
    (shape, outcome.map_err(|error| Error::new(error.code, "")))
}

fn outcome(decoded: Decoded) -> Option<Outcome> {
    match decoded {
        Decoded::Incomplete => None,
        Decoded::Request(shape, request) => Some((shape, Ok(request))),
        Decoded::Unparsed(_, line) => {
            assert!(line.len() > MAX_PARSED_BYTES, "it could have been parsed in passing");
            Some(parse(&line))
        }
        Decoded::Refused(shape, error) => Some((shape, Err(error))),
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
        let is_last = matches!(&outcome, (_, Err(error)) if error.code.closes());
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
        (Some((_, Err(error))), None) => error,
        other => panic!("{other:?}"),
    }
}

fn encode_whole(reply: Reply, shape: Shape) -> String {
    let mut line = BytesMut::new();
    let rest = encode(reply, &shape, &mut line);
    let mut text = line.to_vec();
    if let Some(mut rest) = rest {
        rest.read_to_end(&mut text).expect("a document never fails");
    }
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
