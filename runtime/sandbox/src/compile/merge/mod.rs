//! One core module of the many that a dynamic linker has left in a component.
//!
//! Each instance of a component instantiates every core module in it, looks up whatever one imports of another, and writes the elements of a table
//! that they share. An interpreter that was linked from a dozen of them (componentize-py's) spends more on that than on an author's code. Merged,
//! an import of one module from another is an index within one module, and its tables are as the compiler left them.

mod component;
mod emit;
mod link;
mod module;
#[cfg(test)]
mod tests;

use wasm_encoder::reencode;
use wasmparser::BinaryReaderError;

use crate::inspect::features;

/// Why a component stays as it is. Nothing is wrong with it otherwise.
#[derive(Debug, thiserror::Error)]
pub(super) enum MergeError {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] BinaryReaderError),
    #[error("{0}")]
    Unfit(&'static str),
}

/// The same component, with one core module in the place of all that need nothing which is made of another of them.
///
/// A canonical function that needs something of a module (its memory, its allocator) comes after that module, and whatever imports such a function
/// stays a module of its own: usually that is wit-component's fix-up alone.
///
/// # Errors
/// If none of its modules was linked dynamically, or if merging would show: a module has a start function, is instantiated twice, or carries DWARF.
pub(super) fn merge(component: &[u8]) -> Result<Vec<u8>, MergeError> {
    let component = component::Component::read(component)?;
    if !component.is_linked_dynamically() {
        return Err(MergeError::Unfit("none of its modules was linked dynamically"));
    }
    let linked = link::Linked::new(&component)?;
    let merged = emit::component(&component, &linked)?;
    features::validate(&merged)?;
    Ok(merged)
}

impl From<reencode::Error<Self>> for MergeError {
    fn from(error: reencode::Error<Self>) -> Self {
        match error {
            reencode::Error::UserError(error) => error,
            reencode::Error::ParseError(error) => Self::Unreadable(error),
            reencode::Error::CanonicalizedHeapTypeReference
            | reencode::Error::InvalidConstExpr
            | reencode::Error::InvalidCodeSectionSize
            | reencode::Error::UnexpectedNonCoreModuleSection
            | reencode::Error::UnexpectedNonComponentSection
            | reencode::Error::UnsupportedCoreTypeInComponent => {
                Self::Unfit("one of its modules cannot be written again")
            }
        }
    }
}
