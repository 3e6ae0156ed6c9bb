//! The SDK for JavaScript, written into a new project in TypeScript as long as no registry has it: its sources as they are, for editors and for whoever
//! checks types. What runs brings its own.

use std::path::Path;

use super::sdk::FOLDER;
use crate::embedded::{self, JavaScript};

/// What only a component has: the imports of its world.
const OF_COMPONENTS: [&str; 2] = ["src/component.ts", "src/wit.d.ts"];

/// Writes the SDK below a project's folder.
pub(super) fn write_to(project: &Path) -> anyhow::Result<()> {
    let is_checked = |path: &str| path.starts_with("src/") && !OF_COMPONENTS.contains(&path);
    embedded::write::<JavaScript>(&project.join(FOLDER), is_checked)
}
