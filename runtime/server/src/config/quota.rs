//! `[quota]`, the host's and a tenant's: what a tenant may use.

use ::model::Quota;
use ::model::quota::Overrides;

use super::document::Section;

/// What the section sets, over what it inherits.
pub(super) fn read(mut section: Section<'_>, inherited: &Quota) -> Quota {
    let overrides = Overrides {
        runs: section.optional_count("runs"),
        runs_per_second: section.optional_count("runs_per_second"),
        runs_per_burst: section.optional_count("runs_per_burst"),
        cpu_per_hour: section.optional_duration("cpu_per_hour"),
        weight: section.optional_count("weight"),
        nodes: section.optional_count("nodes"),
        artifacts: section.optional_count("artifacts"),
        artifact_size: section.optional_size("artifact_size"),
        kv_keys: section.optional_count("kv_keys"),
        kv_size: section.optional_size("kv_size"),
    };
    let quota = inherited.with(&overrides).unwrap_or_else(|errors| {
        for error in errors {
            section.wrong_here(format!("is out of range: {error}"));
        }
        *inherited
    });
    section.finish();
    quota
}
