//! `[limits]`, the host's and a node's: what one run may use.

use ::model::{Limits, Overrides};

use super::document::Section;

/// What the section sets, over what it inherits.
pub(super) fn read(mut section: Section<'_>, inherited: &Limits) -> Limits {
    let overrides = Overrides {
        wall_time: section.optional_duration("wall_time"),
        cpu_time: section.optional_duration("cpu_time"),
        memory: section.optional_size("memory"),
        event: section.optional_size("event"),
        reply: section.optional_size("reply"),
        log: section.optional_size("log"),
        host_calls: section.optional_count("host_calls"),
        host_call: section.optional_size("host_call"),
        handles: section.optional_count("handles"),
        http_calls: section.optional_count("http_calls"),
        http_request: section.optional_size("http_request"),
        http_response: section.optional_size("http_response"),
        kv_calls: section.optional_count("kv_calls"),
        kv_data: section.optional_size("kv_data"),
        conversation_value_chars: section.optional_count("conversation_value_chars"),
        user_value_chars: section.optional_count("user_value_chars"),
    };
    let limits = inherited.with(&overrides).unwrap_or_else(|errors| {
        for error in errors {
            section.wrong_here(format!("is out of range: {error}"));
        }
        *inherited
    });
    section.finish();
    limits
}
