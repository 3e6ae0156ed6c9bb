//! Whether an artifact is valid, and which WebAssembly proposals it needs that codenode leaves out.

use wasmparser::{BinaryReaderError, Validator, WasmFeatures};

/// The proposals that the engine has switched off, with the reason that an author is told.
const LEFT_OUT: &[(WasmFeatures, &str)] = &[
    (WasmFeatures::THREADS, "threads and shared memory"),
    (WasmFeatures::SHARED_EVERYTHING_THREADS, "shared-everything threads"),
    (WasmFeatures::EXCEPTIONS, "exception handling"),
    (WasmFeatures::LEGACY_EXCEPTIONS, "legacy exception handling"),
    (WasmFeatures::GC, "garbage collection"),
    (WasmFeatures::GC_TYPES, "references to host values (externref)"),
    (WasmFeatures::FUNCTION_REFERENCES, "typed function references"),
    (WasmFeatures::MEMORY64, "64-bit memories"),
    (WasmFeatures::MULTI_MEMORY, "several memories in one module"),
    (WasmFeatures::RELAXED_SIMD, "relaxed SIMD"),
    (WasmFeatures::CUSTOM_PAGE_SIZES, "custom page sizes"),
    (WasmFeatures::WIDE_ARITHMETIC, "wide arithmetic"),
    (WasmFeatures::STACK_SWITCHING, "stack switching"),
    (WasmFeatures::CM_ASYNC, "component-model async (WASI 0.3)"),
    (WasmFeatures::CM_ASYNC_STACKFUL, "stackful component-model async"),
    (WasmFeatures::CM_MORE_ASYNC_BUILTINS, "component-model async built-ins"),
    (WasmFeatures::CM_THREADING, "component-model threads"),
    (WasmFeatures::CM_ERROR_CONTEXT, "component-model error contexts"),
    (WasmFeatures::CM_FIXED_LENGTH_LISTS, "component-model fixed-length lists"),
    (WasmFeatures::CM_MAP, "component-model maps"),
    (WasmFeatures::CM_GC, "component-model garbage collection"),
    (WasmFeatures::CM64, "64-bit component memories"),
    (WasmFeatures::CM_VALUES, "component-model values"),
];

/// Whether WebAssembly is valid with what codenode offers.
pub(crate) fn validate(wasm: &[u8]) -> Result<(), BinaryReaderError> {
    validate_with(wasm, WasmFeatures::default().difference(left_out()))
}

/// What the validator has against an artifact; nothing, if it is valid with what codenode offers.
pub(super) fn problems(artifact: &[u8]) -> Vec<String> {
    let Err(error) = validate(artifact) else { return Vec::new() };
    let left_out = left_out();
    let offered = WasmFeatures::default().difference(left_out);
    let everything = offered | left_out;
    if validate_with(artifact, everything).is_err() {
        return vec![format!("is not valid WebAssembly: {} (at byte {})", error.message(), error.offset())];
    }
    let mut needed: Vec<_> = LEFT_OUT
        .iter()
        .filter(|(feature, _)| validate_with(artifact, everything.difference(*feature)).is_err())
        .collect();
    // Proposals with references of their own need these too: said only where nothing else is.
    if needed.len() > 1 {
        needed.retain(|(feature, _)| *feature != WasmFeatures::GC_TYPES);
    }
    if needed.is_empty() {
        return vec![format!("is not valid here: {} (at byte {})", error.message(), error.offset())];
    }
    needed.iter().map(|(_, name)| format!("needs {name}, which codenode does not offer: build it without")).collect()
}

fn left_out() -> WasmFeatures {
    LEFT_OUT.iter().fold(WasmFeatures::empty(), |all, (feature, _)| all | *feature)
}

fn validate_with(artifact: &[u8], features: WasmFeatures) -> Result<(), BinaryReaderError> {
    Validator::new_with_features(features).validate_all(artifact).map(|_| ())
}
