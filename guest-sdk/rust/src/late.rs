use std::cell::OnceCell;
use std::fmt;

use serde_json::Value;

use crate::cursor::Span;

/// A value that is read when it is first asked for: a handler asks for little of what the platform sends.
#[derive(Clone)]
pub(crate) struct Late {
    span: Option<Span>,
    value: OnceCell<Value>,
}

impl Late {
    pub(crate) fn get(&self) -> &Value {
        self.value.get_or_init(|| self.span.as_ref().map_or(Value::Null, Span::read))
    }
}

impl From<Span> for Late {
    fn from(span: Span) -> Self {
        Self { span: Some(span), value: OnceCell::new() }
    }
}

impl From<Value> for Late {
    fn from(value: Value) -> Self {
        Self { span: None, value: value.into() }
    }
}

impl PartialEq for Late {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl fmt::Debug for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}
