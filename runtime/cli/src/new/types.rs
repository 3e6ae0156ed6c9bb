//! The SDK for JavaScript, written into a new project in TypeScript as long as no registry has it: its sources as they are, for editors and for whoever
//! checks types. What runs brings its own.

use std::path::Path;

use anyhow::Context as _;
use rust_embed::Embed;

use super::sdk::FOLDER;
use super::write;

#[derive(Embed)]
#[folder = "../../guest-sdk/javascript/src"]
struct Sources;

/// What only a component has: the imports of its world.
const OF_COMPONENTS: [&str; 2] = ["component.ts", "wit.d.ts"];

/// Writes the SDK below a project's folder.
pub(super) fn write_to(project: &Path) -> anyhow::Result<()> {
    for path in Sources::iter().filter(|path| !OF_COMPONENTS.contains(&path.as_ref())) {
        let file = Sources::get(&path).with_context(|| format!("{path} of the SDK is not in this program"))?;
        write(&project.join(FOLDER).join(path.as_ref()), &file.data)?;
    }
    Ok(())
}
