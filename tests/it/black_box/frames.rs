//! Frames of HTTP/2 and fields of HPACK, written by hand.

/// How a client begins.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// RFC 9113, sections 6 and 7: kinds, flags and error codes.
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;
pub(super) const ACK: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const NO_ERROR: u32 = 0;
pub(super) const REFUSED_STREAM: u32 = 7;
pub(super) const CANCEL: [u8; 4] = [0, 0, 0, 8];
pub(super) const ENHANCE_YOUR_CALM: u32 = 11;

/// One frame, whatever its payload.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field whose name is in `name`, encoded; its value is shorter than 127 bytes.
pub(super) fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    [name, &[u8::try_from(value.len()).unwrap()], value].concat()
}

/// A field that nobody remembers, which takes 5 bytes more than `value` on the wire.
pub(super) fn padding(value: &[u8]) -> Vec<u8> {
    literal(&[0x00, 2, b'x', b'-'], value)
}
