//! How a new revision differs from the live one.

use std::io::{self, Write};

use serde::Deserialize;
use serde_json::Value;

use crate::output::one_line;

/// As a server tells of it.
#[derive(Deserialize)]
pub(super) struct Diff {
    from: u32,
    same_artifact: bool,
    imports_added: Vec<String>,
    imports_removed: Vec<String>,
    #[serde(default)]
    grants_added: Vec<String>,
    #[serde(default)]
    grants_removed: Vec<String>,
    settings_from: Value,
    settings_to: Value,
}

/// What the new revision has that the live one has not.
///
/// # Errors
/// If whoever reads has gone.
pub(super) fn told(out: &mut dyn Write, diff: &Diff) -> io::Result<()> {
    let mut lines = Vec::new();
    if !diff.same_artifact {
        lines.push("another artifact".to_owned());
    }
    lines.extend(diff.imports_added.iter().map(|import| format!("+ import {import}")));
    lines.extend(diff.imports_removed.iter().map(|import| format!("- import {import}")));
    lines.extend(diff.grants_added.iter().map(|grant| format!("+ grant {grant}")));
    lines.extend(diff.grants_removed.iter().map(|grant| format!("- grant {grant}")));
    let (mut from, mut to) = (Vec::new(), Vec::new());
    flatten("", &diff.settings_from, &mut from);
    flatten("", &diff.settings_to, &mut to);
    // Told already, one by one.
    [&mut from, &mut to].into_iter().for_each(|settings| settings.retain(|(name, _)| name != "grants"));
    lines.extend(from.iter().filter(|setting| !to.contains(setting)).map(|(name, value)| format!("- {name} {value}")));
    lines.extend(to.iter().filter(|setting| !from.contains(setting)).map(|(name, value)| format!("+ {name} {value}")));
    if lines.is_empty() {
        lines.push("the same".to_owned());
    }
    writeln!(out, "against {}, which is live:", diff.from)?;
    lines.iter().try_for_each(|line| writeln!(out, "  {}", one_line(line)))
}

/// Settings as dotted names and values, whatever a server of tomorrow may add.
fn flatten(name: &str, value: &Value, settings: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(field, value)| {
            let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
            flatten(&name, value, settings);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            settings.push((name.to_owned(), value.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_diff_names_what_came_and_what_went() {
        let diff = Diff {
            from: 3,
            same_artifact: false,
            imports_added: vec!["wasi:random/random\u{1b}[2J".to_owned()],
            imports_removed: Vec::new(),
            grants_added: vec!["http:https://a.example".to_owned()],
            grants_removed: Vec::new(),
            settings_from: json!({ "limits": {}, "end_node": true, "on_break": "fail" }),
            settings_to: json!({ "limits": { "memory": 1 }, "end_node": false, "on_break": "fail" }),
        };
        let mut out = Vec::new();
        told(&mut out, &diff).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        against 3, which is live:
          another artifact
          + import wasi:random/random\u{1b}[2J
          + grant http:https://a.example
          - end_node true
          + end_node false
          + limits.memory 1
        ");
    }
}
