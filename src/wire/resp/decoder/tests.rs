use super::*;

use proptest::prelude::*;

use crate::wire::split::pieces;

/// More than any request here, unless a test is about the limit.
const AMPLE: usize = 16 * 1024 * 1024;

/// What came of a stream of bytes: the arguments of each request, and why it ended if it did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Outcome {
    requests: Vec<Vec<Vec<u8>>>,
    error: Option<ProtocolError>,
}

/// A name, the bytes, and the arguments that they hold.
type Form<'b> = (&'b str, &'b [u8], &'b [&'b [u8]]);

#[test]
fn each_form_of_a_request_decodes() {
    let long = vec![b'x'; 100_000];
    let mut long_string = b"*2\r\n$4\r\nECHO\r\n$100000\r\n".to_vec();
    long_string.extend_from_slice(&[&long[..], b"\r\n"].concat());
    let cases: &[Form<'_>] = &[
        ("one argument", b"*1\r\n$4\r\nPING\r\n", &[b"PING"]),
        ("two arguments", b"*2\r\n$3\r\nADD\r\n$2\r\n-5\r\n", &[b"ADD", b"-5"]),
        ("an empty string", b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", &[b"ECHO", b""]),
        ("an empty name", b"*1\r\n$0\r\n\r\n", &[b""]),
        (
            "line ends in a string",
            b"*2\r\n$4\r\nECHO\r\n$6\r\n\r\na\nb\r\r\n",
            &[b"ECHO", b"\r\na\nb\r"],
        ),
        ("any bytes", b"*1\r\n$4\r\n\0\xff$*\r\n", &[b"\0\xff$*"]),
        ("a long string", &long_string, &[b"ECHO", &long]),
        ("a word", b"PING\r\n", &[b"PING"]),
        ("a word and a line feed", b"PING\n", &[b"PING"]),
        ("words", b"add 1 -2\t3\r\n", &[b"add", b"1", b"-2", b"3"]),
        ("white space around", b" \t PING  \r\n", &[b"PING"]),
        ("double quotes", b"ECHO \"a b\" \"\"\r\n", &[b"ECHO", b"a b", b""]),
        ("single quotes", b"ECHO 'a b' ''\r\n", &[b"ECHO", b"a b", b""]),
        ("quotes in quotes", b"ECHO \"it's\" 'say \"x\"'\r\n", &[b"ECHO", b"it's", b"say \"x\""]),
        ("quotes inside a word", b"ECHO a\"b c\" d'e'\r\n", &[b"ECHO", b"ab c", b"de"]),
        ("escapes", b"ECHO \"\\n\\r\\t\\a\\b\\\\\\\"\\q\"\r\n", &[b"ECHO", b"\n\r\t\x07\x08\\\"q"]),
        ("escaped bytes", b"ECHO \"\\x00\\xfF\\x4a\"\r\n", &[b"ECHO", b"\0\xffJ"]),
        ("half an escaped byte", b"ECHO \"\\x4\" \"\\xg0\"\r\n", &[b"ECHO", b"x4", b"xg0"]),
        (
            "no escapes in single quotes",
            b"ECHO '\\n\\x41' '\\''\r\n",
            &[b"ECHO", b"\\n\\x41", b"'"],
        ),
        ("any bytes in a word", b"ECHO \xff\0$*\r\n", &[b"ECHO", b"\xff\0$*"]),
        ("a type that is no array", b"$4\r\n", &[b"$4"]),
        ("a carriage return in a line", b"a\rb\r\n", &[b"a", b"b"]),
    ];
    for (name, bytes, arguments) in cases {
        let twice = decode_whole(&[*bytes, *bytes].concat(), AMPLE);
        assert_eq!(twice.error, None, "{name}");
        assert_eq!(twice.requests, [*arguments, *arguments], "{name}");
    }
}

#[test]
fn each_malformed_request_is_named_as_redis_does() {
    use ProtocolError::*;
    let line = |length: usize| vec![b'1'; length];
    let long_inline = line(MAX_LINE_BYTES + 1);
    let long_header = [b"*", &line(MAX_LINE_BYTES)[..]].concat();
    let long_string_header = [b"*1\r\n$", &line(MAX_LINE_BYTES)[..]].concat();
    let cases: &[(&str, &[u8], ProtocolError)] = &[
        ("an array of letters", b"*a\r\n", InvalidArrayLength),
        ("an array of nothing", b"*\r\n", InvalidArrayLength),
        ("an array of minus", b"*-\r\n", InvalidArrayLength),
        ("an array of minus zero", b"*-0\r\n", InvalidArrayLength),
        ("an array with a plus sign", b"*+1\r\n", InvalidArrayLength),
        ("an array with a leading zero", b"*01\r\n", InvalidArrayLength),
        ("an array with a space", b"* 1\r\n", InvalidArrayLength),
        ("an array with a space behind", b"*1 \r\n", InvalidArrayLength),
        ("an array with half a line end", b"*1\n", InvalidArrayLength),
        ("an array with two carriage returns", b"*1\r\r\n", InvalidArrayLength),
        ("one argument too many", b"*1048577\r\n", InvalidArrayLength),
        ("an array beyond all numbers", b"*99999999999999999999\r\n", InvalidArrayLength),
        ("a header too long", &long_header, ArrayHeaderTooBig),
        ("a word for a string", b"*1\r\nPING\r\n", NotABulkString(b'P')),
        ("an integer for a string", b"*1\r\n:1\r\n", NotABulkString(b':')),
        ("an array in an array", b"*1\r\n*1\r\n", NotABulkString(b'*')),
        ("a line end for a string", b"*1\r\n\r\n", NotABulkString(b'\r')),
        ("the second is no string", b"*2\r\n$1\r\na\r\n+b\r\n", NotABulkString(b'+')),
        ("a string of letters", b"*1\r\n$x\r\n", InvalidStringLength),
        ("a string of nothing", b"*1\r\n$\r\n", InvalidStringLength),
        ("a null for a string", b"*1\r\n$-1\r\n", InvalidStringLength),
        ("a string with a leading zero", b"*1\r\n$04\r\n", InvalidStringLength),
        ("a string with half a line end", b"*1\r\n$4\n", InvalidStringLength),
        ("a string beyond all numbers", b"*1\r\n$99999999999999999999\r\n", InvalidStringLength),
        ("a string beyond all memory", b"*1\r\n$9223372036854775807\r\n", RequestTooBig),
        ("a string above the limit", b"*1\r\n$16777216\r\n", RequestTooBig),
        ("a string header too long", &long_string_header, StringHeaderTooBig),
        ("a string that goes on", b"*1\r\n$4\r\nPINGS\r\n", MissingLineEnd),
        ("a string with a line feed alone", b"*1\r\n$4\r\nPING\n*", MissingLineEnd),
        ("a line too long", &long_inline, InlineTooBig),
        ("an open quote", b"ECHO \"a\r\n", UnbalancedQuotes),
        ("an open single quote", b"ECHO 'a\r\n", UnbalancedQuotes),
        ("an escaped quote", b"ECHO \"a\\\"\r\n", UnbalancedQuotes),
        ("a backslash at the end", b"ECHO \"a\\\r\n", UnbalancedQuotes),
        ("something behind a quote", b"ECHO \"a\"b\r\n", UnbalancedQuotes),
        ("a quote behind a quote", b"ECHO 'a''b'\r\n", UnbalancedQuotes),
    ];
    for (name, bytes, error) in cases {
        let mut stream = b"PING\r\n".to_vec();
        stream.extend_from_slice(bytes);
        let expected = Outcome { requests: vec![vec![b"PING".to_vec()]], error: Some(*error) };
        assert_eq!(decode_whole(&stream, AMPLE), expected, "{name}");
        assert_eq!(decode_pieces(stream.chunks(1), AMPLE), expected, "{name}, byte by byte");
    }
    let messages = [
        (InlineTooBig, "too big inline request"),
        (UnbalancedQuotes, "unbalanced quotes in request"),
        (ArrayHeaderTooBig, "too big mbulk count string"),
        (InvalidArrayLength, "invalid multibulk length"),
        (NotABulkString(b'P'), "expected '$', got 'P'"),
        (NotABulkString(b'\r'), "expected '$', got '\\r'"),
        (StringHeaderTooBig, "too big bulk count string"),
        (InvalidStringLength, "invalid bulk length"),
        (MissingLineEnd, "expected CRLF after a bulk string"),
        (RequestTooBig, "too big request"),
    ];
    for (error, message) in messages {
        assert_eq!(error.to_string(), format!("Protocol error: {message}"));
    }
}

#[test]
fn empty_requests_are_skipped_and_taken_off() {
    let mut decoder = Decoder::new(AMPLE);
    let mut input = BytesMut::from("\r\n\n  \r\n*0\r\n*-1\r\n*-9\r\nPING\r\n*0\r\n\r\n");
    assert!(matches!(decoder.decode(&mut input), Decoded::Request(_)));
    assert_eq!(decoder.decode(&mut input), Decoded::Incomplete);
    assert!(input.is_empty());
}

#[test]
fn what_is_incomplete_stays_in_the_input() {
    for bytes in [&b"PING"[..], b"PING\r", b"*", b"*1\r\n$4\r\nPING\r", b"*2\r\n$4\r\nPING\r\n"] {
        let mut input = BytesMut::from(bytes);
        assert_eq!(Decoder::new(AMPLE).decode(&mut input), Decoded::Incomplete);
        assert_eq!(&input[..], bytes);
    }
}

#[test]
fn a_request_may_be_as_long_as_the_limit_and_no_longer() {
    let array = b"*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n";
    let inline = b"ECHO hello\r\n";
    let whole = [b"ECHO".to_vec(), b"hello".to_vec()];
    let cases = [
        (&array[..], array.len(), None),
        (array, array.len() - 1, Some(ProtocolError::RequestTooBig)),
        // The line end is not counted.
        (inline, 10, None),
        (inline, 9, Some(ProtocolError::InlineTooBig)),
    ];
    for (bytes, limit, error) in cases {
        let outcome = decode_whole(&[bytes, bytes].concat(), limit);
        assert_eq!(outcome.error, error, "a limit of {limit}");
        let expected: &[_] = if error.is_none() { &[whole.to_vec(), whole.to_vec()] } else { &[] };
        assert_eq!(outcome.requests, expected, "a limit of {limit}");
    }
    let longest = [vec![b'x'; MAX_LINE_BYTES], b"\r\n".to_vec()].concat();
    assert_eq!(decode_whole(&longest, AMPLE).error, None);
}

#[test]
fn as_many_arguments_as_there_may_be_arrive_in_small_pieces() {
    let mut bytes = format!("*{MAX_ARGUMENTS}\r\n").into_bytes();
    bytes.extend_from_slice(&b"$1\r\n7\r\n".repeat(MAX_ARGUMENTS));
    // With work in proportion to what came before, this would not end.
    let outcome = decode_pieces(bytes.chunks(3), AMPLE);
    assert_eq!((outcome.error, outcome.requests.len()), (None, 1));
    assert_eq!(outcome.requests[0].len(), MAX_ARGUMENTS);
    assert!(outcome.requests[0].iter().all(|argument| argument == b"7"));
}

#[test]
fn announcing_much_takes_no_memory() {
    let mut decoder = Decoder::new(usize::MAX);
    let mut input = BytesMut::from("*1048576\r\n$1000000000000\r\nx");
    assert_eq!(decoder.decode(&mut input), Decoded::Incomplete);
    assert!(input.capacity() < 1024);
}

#[test]
fn the_last_string_is_found_without_its_forerunners() {
    for bytes in [&b"*3\r\n$4\r\nECHO\r\n$1\r\na\r\n$3\r\nb\r\n\r\n"[..], b"ECHO a \"b\\r\\n\"\r\n"]
    {
        let mut input = BytesMut::from(bytes);
        let Decoded::Request(request) = Decoder::new(AMPLE).decode(&mut input) else {
            panic!("it is whole")
        };
        assert_eq!(request.arguments().len(), 3);
        assert_eq!(&request.into_last_string()[..], b"$3\r\nb\r\n\r\n");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_session_decodes_the_same_however_it_is_split(
        requests in prop::collection::vec((arguments(), any::<bool>()), 1..6),
        sizes in piece_sizes(),
    ) {
        let mut bytes = Vec::new();
        for (arguments, is_inline) in &requests {
            bytes.extend_from_slice(&if *is_inline { inline(arguments) } else { array(arguments) });
        }
        let requests = requests.into_iter().map(|(arguments, _)| arguments).collect();
        let expected = Outcome { requests, error: None };
        for at in 0..=bytes.len() {
            let (first, second) = bytes.split_at(at);
            prop_assert_eq!(&decode_pieces([first, second], AMPLE), &expected, "split at {}", at);
        }
        prop_assert_eq!(&decode_pieces(bytes.chunks(1), AMPLE), &expected, "byte by byte");
        prop_assert_eq!(&decode_pieces(pieces(&bytes, &sizes), AMPLE), &expected, "{:?}", sizes);
    }

    #[test]
    fn garbage_decodes_the_same_however_it_is_split(garbage in garbage(), sizes in piece_sizes()) {
        for limit in [16, AMPLE] {
            let whole = decode_whole(&garbage, limit);
            prop_assert_eq!(&decode_pieces(garbage.chunks(1), limit), &whole);
            prop_assert_eq!(&decode_pieces(pieces(&garbage, &sizes), limit), &whole);
        }
    }
}

fn decode_whole(bytes: &[u8], limit: usize) -> Outcome {
    decode_pieces([bytes], limit)
}

/// All that comes of bytes that arrive in these pieces.
fn decode_pieces<'p>(pieces: impl IntoIterator<Item = &'p [u8]>, limit: usize) -> Outcome {
    let (mut decoder, mut input) = (Decoder::new(limit), BytesMut::new());
    let mut outcome = Outcome::default();
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Decoded::Incomplete => break,
                Decoded::Request(request) => {
                    let arguments = request.arguments();
                    assert!(arguments.len() > 0, "there is a name");
                    outcome.requests.push(arguments.map(<[u8]>::to_vec).collect());
                }
                Decoded::Malformed(error) => {
                    outcome.error = Some(error);
                    return outcome;
                }
            }
        }
    }
    outcome
}

fn array(arguments: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// A line, with each byte escaped, so that it can be any.
fn inline(arguments: &[Vec<u8>]) -> Vec<u8> {
    let word = |argument: &Vec<u8>| {
        let bytes: String = argument.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        format!("\"{bytes}\"")
    };
    let words: Vec<String> = arguments.iter().map(word).collect();
    format!("{}\r\n", words.join(" ")).into_bytes()
}

fn arguments() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let argument = prop_oneof![
        any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..12),
        Just(b"\r\n".to_vec()),
        Just(b"$1\r\n".to_vec()),
    ];
    prop::collection::vec(argument, 1..5)
}

fn piece_sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..40_usize, 1..12)
}

/// Bytes that look now and then as if they meant something.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let fragments = [
        "*", "$", "*1\r\n", "*2\r\n", "$1\r\n", "$4\r\n", "a\r\n", "PING\r\n", "PING", "\r\n",
        "\n", "\r", "-", "0", "1", "9", "\"", "'", "\\", "\\x4", " ", "\0", "+", ":",
    ];
    let piece = prop_oneof![
        4 => prop::sample::select(fragments.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}
