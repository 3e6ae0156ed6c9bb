//! What a guest may reach: the families of host functions, and nothing that is not listed here.

pub(crate) mod clock;
mod config;
pub(crate) mod http;
pub(crate) mod key_value;
pub(crate) mod log;
pub(crate) mod stdio;

use wasmtime::component::HasSelf;
use wasmtime::{Caller, Engine};

use crate::host::Host;

wasmtime::component::bindgen!({
    path: "../../guest-sdk/wit",
    world: "code-node-with-grants",
    imports: { default: trappable, "wasi:keyvalue": async | trappable },
    with: {
        "wasi:keyvalue/store.bucket": key_value::Opened,
        "wasi:keyvalue/atomics.cas": key_value::Seen,
    },
    exports: { default: async },
});

/// What runs sources: only what it exports, for its imports are those of code nodes.
pub(crate) mod runner {
    wasmtime::component::bindgen!({
        path: "../../guest-sdk/wit",
        world: "runner-exports",
        exports: { default: async },
    });
}

const PREVIEW_1: &str = "wasi_snapshot_preview1";

/// What guests are linked to.
pub(crate) struct Linkers {
    pub(crate) components: wasmtime::component::Linker<Host>,
    /// WASI preview 1, for programs that are no components.
    pub(crate) programs: wasmtime::Linker<Host>,
}

/// Links every interface that codenode serves.
///
/// The file system and the sockets of WASI are linked because CPython's and other runtimes' start-up imports them whether the handler uses
/// them or not; nothing is open behind them: no directory, no address, no name.
pub(crate) fn link(engine: &Engine) -> wasmtime::Result<Linkers> {
    let mut components = wasmtime::component::Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut components)?;
    wasi::logging::logging::add_to_linker::<_, HasSelf<Host>>(&mut components, |host| host)?;
    codenode::node::log::add_to_linker::<_, HasSelf<Host>>(&mut components, |host| host)?;
    log::link_unversioned(&mut components)?;
    http::link(&mut components)?;
    key_value::link(&mut components)?;
    config::link(&mut components)?;
    let mut programs = wasmtime::Linker::new(engine);
    wasmtime_wasi::p1::add_to_linker_async(&mut programs, Host::wasi)?;
    deny_sockets(&mut programs)?;
    Ok(Linkers { components, programs })
}

/// Takes the place of wasmtime's own refusals, each of which would write a line into this host's log.
fn deny_sockets(linker: &mut wasmtime::Linker<Host>) -> wasmtime::Result<()> {
    const NOT_SUPPORTED: i32 = 58;
    fn denied(mut caller: Caller<'_, Host>) -> i32 {
        caller.data_mut().count_call();
        NOT_SUPPORTED
    }
    type N = i32;
    linker.allow_shadowing(true);
    linker.func_wrap(PREVIEW_1, "sock_accept", |caller: Caller<'_, _>, _: N, _: N, _: N| denied(caller))?;
    linker.func_wrap(PREVIEW_1, "sock_recv", |caller: Caller<'_, _>, _: N, _: N, _: N, _: N, _: N, _: N| {
        denied(caller)
    })?;
    linker.func_wrap(PREVIEW_1, "sock_send", |caller: Caller<'_, _>, _: N, _: N, _: N, _: N, _: N| denied(caller))?;
    linker.func_wrap(PREVIEW_1, "sock_shutdown", |caller: Caller<'_, _>, _: N, _: N| denied(caller))?;
    linker.allow_shadowing(false);
    Ok(())
}
