//! The vocabulary in RESP2, the protocol of Redis.

use crate::server::Shown;
use crate::vocabulary::{Answer, Request};
use std::io::{self, BufRead, ErrorKind};

/// The next request; `None` when the client has closed its side.
pub(crate) fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let Some(words) = header(reader, '*')? else {
        return Ok(None);
    };
    let mut request = Vec::new();
    for _ in 0..words {
        let len = header(reader, '$')?.ok_or(ErrorKind::UnexpectedEof)?;
        let mut word = vec![0; len + 2];
        reader.read_exact(&mut word)?;
        assert_eq!(word.split_off(len), b"\r\n");
        request.push(String::from_utf8(word).expect("a word is ASCII"));
    }
    let words: Vec<&str> = request.iter().map(String::as_str).collect();
    Ok(Some(parse(&words)))
}

fn header(reader: &mut impl BufRead, kind: char) -> io::Result<Option<usize>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let number = line.strip_prefix(kind).and_then(|line| line.strip_suffix("\r\n"));
    Ok(Some(number.and_then(|number| number.parse().ok()).expect("a header")))
}

fn parse(words: &[&str]) -> Request {
    let integer = |word: &str| word.parse::<i64>().expect("an integer");
    let size = |word: &str| word.parse::<usize>().expect("a size");
    match *words {
        ["ADD", ref values @ ..] => Request::Add(values.iter().map(|word| integer(word)).collect()),
        ["RANGE", "0", "-1"] => Request::All,
        ["BETWEEN", min, max, ref rest @ ..] => {
            let (descending, limits) = match rest {
                ["REV", limits @ ..] => (true, limits),
                limits => (false, limits),
            };
            let ["LIMIT", offset, limit] = *limits else { panic!("no LIMIT: {words:?}") };
            let (min, max) = (integer(min), integer(max));
            Request::Read { min, max, offset: size(offset), limit: size(limit), descending }
        }
        ["COUNT"] => Request::Count(i64::MIN, i64::MAX),
        ["COUNT", min, max] => Request::Count(integer(min), integer(max)),
        ["RANK", value] => Request::Rank(integer(value)),
        ["AT", index] => Request::At(integer(index)),
        ["QUANTILE", ref fractions @ ..] => Request::Quantiles(
            fractions.iter().map(|word| word.parse().expect("a fraction")).collect(),
        ),
        ["MIN"] => Request::Min,
        ["MAX"] => Request::Max,
        ["REMOVE", value] => Request::Remove(integer(value)),
        ["REMOVERANGE", min, max] => Request::RemoveRange(integer(min), integer(max)),
        ["POPMIN", n] => Request::PopMin(size(n)),
        ["POPMAX", n] => Request::PopMax(size(n)),
        ["CLEAR"] => Request::Clear,
        _ => panic!("no client asks for {words:?}"),
    }
}

/// The reply to an add but for its last byte, a newline.
pub(crate) fn length(Shown { count, .. }: &Shown) -> String {
    format!(":{count}\r")
}

/// Any other reply.
pub(crate) fn encode(_: &Request, answer: Answer) -> Vec<u8> {
    match answer {
        Answer::Values { values, .. } | Answer::Popped(values) => {
            array(values.into_iter().map(Some))
        }
        Answer::Count(number) | Answer::Rank { rank: number, .. } | Answer::Removed(number) => {
            format!(":{number}\r\n")
        }
        Answer::At { value, .. } | Answer::Extreme(value) => integer(value),
        Answer::Quantiles { quantiles, .. } => array(quantiles.into_iter().map(|(_, value)| value)),
    }
    .into_bytes()
}

fn array(values: impl ExactSizeIterator<Item = Option<i64>>) -> String {
    let len = values.len();
    values.fold(format!("*{len}\r\n"), |text, value| text + &integer(value))
}

fn integer(value: Option<i64>) -> String {
    value.map_or("$-1\r\n".to_owned(), |value| format!(":{value}\r\n"))
}
