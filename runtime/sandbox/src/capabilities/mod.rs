//! What a guest may reach: the families of host functions, and nothing that is not listed here.

pub(crate) mod clock;
pub(crate) mod log;
pub(crate) mod stdio;

use wasmtime::component::{HasSelf, Linker};

use crate::host::Host;

wasmtime::component::bindgen!({
    path: "../../guest-sdk/wit",
    world: "code-node",
    imports: { default: trappable },
    exports: { default: async },
});

/// Links every interface that codenode serves.
///
/// The file system and the sockets of WASI are linked because CPython's and other runtimes' start-up imports them whether the handler uses
/// them or not; nothing is open behind them: no directory, no address, no name.
pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasi::logging::logging::add_to_linker::<_, HasSelf<Host>>(linker, |host| host)?;
    codenode::node::log::add_to_linker::<_, HasSelf<Host>>(linker, |host| host)?;
    log::link_unversioned(linker)
}
