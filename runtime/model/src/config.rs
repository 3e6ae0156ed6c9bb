use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::text::written_as_text;
use crate::{Actor, NodeId};

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 128;
/// The longest value, in bytes of its JSON.
const MAX_VALUE_BYTES: usize = 8 << 10;

/// What handlers know a value of their configuration by, such as `crm.base_url`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", examples("crm.base_url"))]
pub struct ConfigKey(String);

/// A value of a handler's configuration: a text, a number that 64 bits hold, a boolean, a list or an object; no `null`. Handlers read texts as they
/// are, and all else as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct ConfigValue(Value);

/// What a revision's handlers read of their configuration instead of what the node and the tenant have there.
pub type ConfigOverrides = BTreeMap<ConfigKey, ConfigValue>;

/// A value that a tenant has set for its handlers, or for those of one node.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ConfigEntry {
    /// What handlers know it by.
    pub key: ConfigKey,
    /// `null`: for all nodes that have no value of their own.
    pub node: Option<NodeId>,
    /// `null`: it is secret, and nobody reads that back.
    pub value: Option<ConfigValue>,
    /// Counts its changes, from 1: what an `ETag` says.
    pub version: u64,
    /// When it was changed last.
    pub changed_at: Timestamp,
    /// Who changed it last.
    pub changed_by: Actor,
}

/// The text is no key of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is no key of a handler's configuration: use 1 to 128 letters, digits, `.`, `_` or `-`, the first a letter or a digit, as in crm.base_url",
    .0.escape_debug()
)]
pub struct ConfigKeyError(String);

/// The JSON is no value of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigValueError {
    /// It is `null`.
    #[error("`null` is no value: delete the key, or give \"\", 0, false, [] or {{}}")]
    Null,
    /// It is too long.
    #[error("the value has {0} bytes of JSON: the most is {MAX_VALUE_BYTES}")]
    TooLong(usize),
    /// Not every database holds it.
    #[error("the value has the character U+0000, which cannot be kept: take it out")]
    Nul,
}

impl ConfigKey {
    /// The key as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ConfigValue {
    /// As handlers read it.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.0 {
            Value::String(text) => Cow::Borrowed(text),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Cow::Owned(other.to_string())
            }
        }
    }
}

impl FromStr for ConfigKey {
    type Err = ConfigKeyError;

    fn from_str(text: &str) -> Result<Self, ConfigKeyError> {
        let is_key = text.len() <= MAX_KEY_BYTES
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if is_key {
            Ok(Self(text.to_owned()))
        } else {
            Err(ConfigKeyError(text.chars().take(MAX_KEY_BYTES + 1).collect()))
        }
    }
}

impl TryFrom<Value> for ConfigValue {
    type Error = ConfigValueError;

    fn try_from(value: Value) -> Result<Self, ConfigValueError> {
        if value.is_null() {
            return Err(ConfigValueError::Null);
        }
        let json = value.to_string();
        if json.len() > MAX_VALUE_BYTES {
            return Err(ConfigValueError::TooLong(json.len()));
        }
        // JSON writes the character as an escape, before which there may be other ones.
        if json.contains("\\u0000") && holds_nul(&value) {
            return Err(ConfigValueError::Nul);
        }
        Ok(Self(value))
    }
}

impl PartialSchema for ConfigValue {
    fn schema() -> RefOr<Schema> {
        let kinds = [Type::String, Type::Number, Type::Boolean, Type::Array, Type::Object];
        Object::builder()
            .schema_type(SchemaType::from_iter(kinds))
            .description(Some(
                "What handlers read of their configuration: a text as it is, and all else as JSON. There is no `null`.",
            ))
            .examples([25])
            .into()
    }
}

impl ToSchema for ConfigValue {}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
    }
}

written_as_text!(ConfigKey);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: &str) -> Result<ConfigValue, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn handlers_read_texts_as_they_are_and_all_else_as_json() {
        for (json, text) in [
            (r#""a \"b\" नमस्ते""#, "a \"b\" नमस्ते"),
            ("25", "25"),
            ("-1.5", "-1.5"),
            ("18446744073709551615", "18446744073709551615"),
            ("false", "false"),
            (r#"["a", {"b": null}]"#, r#"["a",{"b":null}]"#),
            (r#""""#, ""),
        ] {
            assert_eq!(read(json).unwrap().text(), text, "{json}");
        }
    }

    #[test]
    fn what_is_no_value_says_what_to_do() {
        assert!(read("null").unwrap_err().to_string().contains("delete the key"));
        assert!(read("1e400").is_err());
        assert!(read(r#""a\u0000""#).unwrap_err().to_string().contains("U+0000"));
        assert!(read(r#"[{"\u0000": 1}]"#).is_err());
        assert_eq!(read(r#""\\u0000""#).unwrap().text(), "\\u0000");
        let long = |chars| ConfigValue::try_from(json!("x".repeat(chars)));
        assert_eq!(long(MAX_VALUE_BYTES - 1), Err(ConfigValueError::TooLong(MAX_VALUE_BYTES + 1)));
        assert!(long(MAX_VALUE_BYTES - 2).is_ok());
    }

    #[test]
    fn what_is_no_key_says_how_one_is_written() {
        for text in ["", ".a", "a b", "a/b", "a\0", "é", "a\r\nb", &"k".repeat(129)] {
            let error = text.parse::<ConfigKey>().unwrap_err().to_string();
            assert!(error.contains("crm.base_url") && error.len() < 400, "{error}");
        }
        for text in ["a", "API_KEY", "crm.base_url", "7-a", &"k".repeat(128)] {
            assert_eq!(text.parse::<ConfigKey>().unwrap().to_string(), text);
        }
    }
}
