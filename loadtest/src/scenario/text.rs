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

#[cfg(test)]
mod tests {
    use super::*;

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
