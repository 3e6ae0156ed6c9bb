//! The attribute `#[codenode::handler]`.
//!
//! It checks the shape of the function and exports it. It does not read or write JSON: that is the crate `codenode`.

mod expand;

use proc_macro::TokenStream;

/// Makes a function the handler of this code node.
///
/// The function takes one `codenode::Event` and gives back `Result<codenode::Reply, codenode::Error>`; a crate has one handler.
/// Natively the function stays what it is, so that a unit test can call it; compiled to WebAssembly it becomes the export `handle`.
#[proc_macro_attribute]
pub fn handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::handler(&arguments.into(), item.into()).into()
}
