//! The Rust SDK, written into a new project as long as no registry has it: its sources as they are, in a workspace of their own.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use toml::{Table, Value};

use crate::embedded::{self, Contract, Rust, write_new};

/// Below the project.
pub(super) const FOLDER: &str = "codenode-sdk";

/// Where the versions stand that the SDK builds with.
const WORKSPACE: &str = include_str!("../../../../Cargo.toml");

/// Writes the SDK, and the workspace that its manifests inherit from.
pub(super) fn write_to(folder: &Path) -> anyhow::Result<()> {
    write_new(&folder.join("Cargo.toml"), workspace()?.as_bytes())?;
    embedded::write::<Rust>(&folder.join("rust"), |_| true)?;
    embedded::write::<Contract>(&folder.join("wit"), |_| true)
}

/// A workspace of the SDK alone, with the settings and versions of ours.
fn workspace() -> anyhow::Result<String> {
    let ours: Table = toml::from_str(WORKSPACE).context("our own Cargo.toml cannot be read")?;
    let ours = ours.get("workspace").and_then(Value::as_table).ok_or_else(|| anyhow!("we have no workspace"))?;
    let mut dependencies: Table = ours.get("dependencies").and_then(Value::as_table).cloned().unwrap_or_default();
    let needed = needed()?;
    dependencies.retain(|name, _| needed.contains(name));
    dependencies.insert("codenode-macros".to_owned(), Table::from_iter([path("rust/macros")]).into());
    let members = ["rust", "rust/macros"].map(Value::from).to_vec();
    let mut workspace = Table::new();
    workspace.insert("resolver".to_owned(), "3".into());
    workspace.insert("members".to_owned(), members.into());
    for same in ["package", "lints"] {
        workspace.extend(ours.get(same).map(|value| (same.to_owned(), value.clone())));
    }
    workspace.insert("dependencies".to_owned(), dependencies.into());
    let text = toml::to_string(&Table::from_iter([("workspace".to_owned(), workspace.into())]))?;
    Ok(format!("# The codenode SDK, as this version of codenode brings it. No registry has it yet.\n\n{text}"))
}

fn path(path: &str) -> (String, Value) {
    ("path".to_owned(), path.into())
}

/// What the SDK's manifests take from the workspace.
fn needed() -> anyhow::Result<BTreeSet<String>> {
    let mut needed = BTreeSet::new();
    for manifest in ["Cargo.toml", "macros/Cargo.toml"] {
        let file = Rust::get(manifest).with_context(|| format!("the SDK's {manifest} is not in this program"))?;
        let manifest: Table = toml::from_str(std::str::from_utf8(&file.data)?)?;
        let targets = manifest.get("target").and_then(Value::as_table);
        let of_targets = targets.into_iter().flatten().filter_map(|(_, target)| target.as_table());
        for table in of_targets.chain([&manifest]) {
            for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
                needed.extend(
                    table.get(kind).and_then(Value::as_table).into_iter().flatten().map(|(name, _)| name.clone()),
                );
            }
        }
    }
    Ok(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_has_a_workspace_of_its_own_with_our_versions() {
        let text = workspace().unwrap();
        let workspace: Table = toml::from_str(&text).unwrap();
        let dependencies = workspace["workspace"]["dependencies"].as_table().unwrap();
        let names: Vec<&str> = dependencies.keys().map(String::as_str).collect();
        assert!(names.contains(&"serde_json") && names.contains(&"wit-bindgen") && names.contains(&"syn"), "{names:?}");
        assert!(!names.contains(&"wasmtime"), "{names:?}");
        assert_eq!(dependencies["codenode-macros"]["path"].as_str(), Some("rust/macros"));
    }
}
