//! Replies as bytes.

use bytes::BytesMut;
use itoa::Integer;

const LINE_END: &[u8] = b"\r\n";

/// Writes a bulk string to `out`.
pub(super) fn bulk_string(bytes: &[u8], out: &mut BytesMut) {
    header(b'$', bytes.len(), out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(LINE_END);
}

fn header(kind: u8, number: impl Integer, out: &mut BytesMut) {
    out.extend_from_slice(&[kind]);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(LINE_END);
}
