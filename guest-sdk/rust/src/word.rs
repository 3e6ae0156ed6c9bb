//! Eight bytes looked at together.

/// This byte eight times.
pub(crate) const fn all(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// A mark, the highest bit, at each byte that is zero. Marks above the lowest one may be wrong.
pub(crate) const fn zero_bytes(word: u64) -> u64 {
    bytes_below(word, 1)
}

/// The same at each byte that is less than `bound`, which is 128 at most.
pub(crate) const fn bytes_below(word: u64, bound: u8) -> u64 {
    word.wrapping_sub(all(bound)) & !word & all(0x80)
}
