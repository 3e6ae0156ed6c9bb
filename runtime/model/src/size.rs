//! Sizes, as people write them and as programs do.

use bytesize::ByteSize;
use serde::{Serialize as _, Serializer};
use utoipa::PartialSchema as _;
use utoipa::openapi::schema::{Object, OneOf, Schema, Type};

/// Writes a number of bytes, for the short form rounds.
pub(crate) fn as_bytes<S: Serializer>(size: &Option<ByteSize>, serializer: S) -> Result<S::Ok, S::Error> {
    size.map(|size| size.as_u64()).serialize(serializer)
}

/// What [`ByteSize`] reads: a number of bytes, or a text.
pub(crate) fn size(description: &str) -> Schema {
    let text = Object::builder().schema_type(Type::String).examples(["64 MiB"]);
    let absent = Object::builder().schema_type(Type::Null);
    Schema::OneOf(OneOf::builder().description(Some(description)).item(u64::schema()).item(text).item(absent).build())
}
