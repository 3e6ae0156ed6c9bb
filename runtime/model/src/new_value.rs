/// What shall be kept under a key from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewValue {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The JSON object that is there, with the fields of this one put over its own: see [`merged`](crate::merged).
    Fields(String),
    /// Nothing: the entry is removed.
    Nothing,
}
