//! The text of requests.

/// Appends `[5,3,9]`.
pub(crate) fn append_array(text: &mut Vec<u8>, values: impl Iterator<Item = i64>) {
    let mut digits = itoa::Buffer::new();
    text.push(b'[');
    for (index, value) in values.enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend_from_slice(digits.format(value).as_bytes());
    }
    text.push(b']');
}

/// Appends a Redis request: the command's name and its integers, as an array of bulk strings.
pub(crate) fn append_command(
    text: &mut Vec<u8>,
    name: &str,
    integers: impl ExactSizeIterator<Item = i64>,
) {
    append_header(text, b'*', integers.len() + 1);
    append_bulk(text, name.as_bytes());
    let mut digits = itoa::Buffer::new();
    integers.for_each(|integer| append_bulk(text, digits.format(integer).as_bytes()));
}

/// Appends one bulk string of a Redis request.
pub(crate) fn append_bulk(text: &mut Vec<u8>, bytes: &[u8]) {
    append_header(text, b'$', bytes.len());
    text.extend_from_slice(bytes);
    text.extend_from_slice(b"\r\n");
}

/// Appends the line that announces so many elements or bytes.
pub(crate) fn append_header(text: &mut Vec<u8>, kind: u8, len: usize) {
    text.push(kind);
    text.extend_from_slice(itoa::Buffer::new().format(len).as_bytes());
    text.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_arrays_of_bulk_strings() {
        let mut text = Vec::new();
        append_command(&mut text, "ADD", [-10, 5].into_iter());
        assert_eq!(text, b"*3\r\n$3\r\nADD\r\n$3\r\n-10\r\n$1\r\n5\r\n");
    }

    fn text(values: &[i64]) -> String {
        let mut text = b"x".to_vec();
        append_array(&mut text, values.iter().copied());
        String::from_utf8(text).expect("it is ASCII")
    }

    #[test]
    fn text_reaches_the_edges() {
        assert_eq!(text(&[i64::MIN, 0, i64::MAX]), "x[-9223372036854775808,0,9223372036854775807]");
        assert_eq!((text(&[-1]).as_str(), text(&[]).as_str()), ("x[-1]", "x[]"));
    }
}
