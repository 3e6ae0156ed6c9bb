//! From a core module to the component that it would have been built as.

use anyhow::Context as _;
use wasi_preview1_component_adapter_provider as adapter;
use wasmparser::Parser;
use wit_component::ComponentEncoder;

/// A component with the same behaviour: the core module of a code node is wrapped with the preview-1 adapter, a component stays as it is.
///
/// # Errors
/// What `wit-component` has against the module.
pub(super) fn lift(artifact: &[u8]) -> anyhow::Result<Vec<u8>> {
    if Parser::is_component(artifact) {
        return Ok(artifact.to_vec());
    }
    ComponentEncoder::default()
        .module(artifact)
        .context("cannot be lifted into a component")?
        .adapter(adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
        .context("cannot be joined with the preview-1 adapter")?
        .encode()
        .context("cannot be lifted into a component")
}
