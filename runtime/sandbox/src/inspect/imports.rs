//! What codenode serves, by name.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use model::Family;
use wasi_preview1_component_adapter_provider as adapter;
use wasmparser::{Parser, Payload};

use super::census::Census;
use super::{Import, Offer};

/// The WASI 0.2 interfaces that every guest may import, whatever their patch version.
const SERVED: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Linked without a directory behind them: the standard libraries of several languages import them unasked.
const EMPTY: &[&str] = &["wasi:filesystem/preopens", "wasi:filesystem/types"];

/// Linked with nothing allowed, for guests of [`EAGER_RUNTIMES`] only: elsewhere the author asked for a socket and must hear the answer now.
const SOCKETS: &[&str] = &[
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// Toolchains whose language runtime imports all of WASI whether the handler uses it or not, by the names that they leave behind:
/// componentize-py leaves only that of the tool with which it takes its snapshot.
const EAGER_RUNTIMES: &[&str] = &["component-init-transform"];

const LOGGING: &[&str] = &["codenode:node/log@0.1.0", "wasi:logging/logging", "wasi:logging/logging@0.1.0-draft"];

/// Proposals for WASI 0.2, whose versions never came to be ones.
const PROPOSED: &[&str] = &[
    "wasi:config/store@0.2.0-rc.1",
    "wasi:keyvalue/atomics@0.2.0-draft2",
    "wasi:keyvalue/batch@0.2.0-draft2",
    "wasi:keyvalue/store@0.2.0-draft2",
];

/// The functions of preview 1: what its adapter exports. Programs have them without it.
static PREVIEW1: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let adapter = Parser::new(0).parse_all(adapter::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER);
    let sections = adapter
        .filter_map(|payload| if let Ok(Payload::ExportSection(section)) = payload { Some(section) } else { None });
    sections.flatten().flatten().map(|export| export.name.to_owned()).collect()
});

/// How each import of the outermost module or component is answered.
pub(super) fn offers(census: &Census) -> Vec<Import> {
    let runtime_is_eager = census.producers.iter().any(|tool| EAGER_RUNTIMES.contains(&tool.as_str()));
    let offer = |name: &str| match name.split_once('.').filter(|_| !census.is_component) {
        // These are there, and never work: Go's runtime imports them unasked.
        Some(("wasi_snapshot_preview1", function)) if PREVIEW1.contains(function) && function.starts_with("sock_") => {
            Offer::Denied
        }
        Some(("wasi_snapshot_preview1", function)) if PREVIEW1.contains(function) => Offer::Served,
        // An SDK's core module names the interface, a `$root` import of ours does not exist.
        Some((module, _)) if census.has_component_type => {
            interface(module_of(name).unwrap_or(module), runtime_is_eager)
        }
        Some(_) => Offer::Refused,
        None => interface(name, runtime_is_eager),
    };
    census.imports.iter().map(|name| Import { name: name.clone(), offer: offer(name) }).collect()
}

/// The module part of `wasi:logging/logging@0.1.0-draft.log` or `wasi:keyvalue/store@0.2.0-draft2.[method]bucket.get`: versions hold dots too.
fn module_of(name: &str) -> Option<&str> {
    name.split_once(".[").or_else(|| name.rsplit_once('.')).map(|(module, _)| module)
}

fn interface(name: &str, runtime_is_eager: bool) -> Offer {
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    let is_wasi_02 = version.starts_with("0.2.");
    if LOGGING.contains(&name) || PROPOSED.contains(&name) || (is_wasi_02 && SERVED.contains(&interface)) {
        Offer::Served
    } else if is_wasi_02 && (EMPTY.contains(&interface) || (runtime_is_eager && SOCKETS.contains(&interface))) {
        Offer::Denied
    } else {
        Offer::Refused
    }
}

/// What an import is useless without, if it is.
pub(super) fn family(import: &str) -> Option<Family> {
    if import.starts_with("wasi:http/outgoing-handler") {
        Some(Family::Http)
    } else if import.starts_with("wasi:keyvalue/") {
        Some(Family::KeyValue)
    } else if import.starts_with("wasi:config/") {
        Some(Family::Config)
    } else {
        None
    }
}

/// One problem for each import that is refused, with what to do instead.
pub(super) fn problems(imports: &[Import]) -> Vec<String> {
    let refused = imports.iter().filter(|import| import.offer == Offer::Refused);
    refused
        .take(64)
        .map(|import| {
            format!("imports {}, which codenode does not offer: {}", shown(&import.name), advice(&import.name))
        })
        .collect()
}

fn shown(name: &str) -> String {
    name.escape_debug().to_string()
}

fn advice(name: &str) -> &'static str {
    if name.starts_with("wasi:sockets") || name.contains("sock_") {
        "handlers have no sockets"
    } else if name.starts_with("wasi:keyvalue/") {
        "it serves store, atomics and batch of wasi:keyvalue@0.2.0-draft2"
    } else if name.starts_with("wasi:config/") {
        "it serves wasi:config/store@0.2.0-rc.1"
    } else if name.starts_with("wasi:http/incoming-handler") {
        "export it, and codenode calls it"
    } else if name.starts_with("wasi:") && name.contains("@0.3") {
        "codenode serves WASI 0.2; build for wasm32-wasip2"
    } else if name.starts_with("wasi:") {
        "it serves the command line streams, clocks, random numbers and outbound HTTP of WASI 0.2, wasi:logging, wasi:keyvalue and wasi:config"
    } else if name.starts_with("wasi_unstable") {
        "build for wasi_snapshot_preview1 or WASI 0.2"
    } else if name.starts_with("env.") {
        "the linker left this function undefined; link the library that defines it"
    } else {
        "only interfaces of WASI 0.2 and codenode:node can be imported"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_sdks_core_module_imports_is_of_its_interface() {
        let imports = [
            "codenode:node/log@0.1.0.write",
            "wasi:logging/logging@0.1.0-draft.log",
            "wasi:config/store@0.2.0-rc.1.get-all",
            "wasi:keyvalue/store@0.2.0-draft2.open",
            "wasi:keyvalue/store@0.2.0-draft2.[method]bucket.get",
            "wasi:keyvalue/atomics@0.2.0-draft2.[static]cas.new",
            "wasi:io/poll@0.2.6.[method]pollable.block",
        ];
        let mut census = Census::default();
        census.has_component_type = true;
        census.imports = imports.map(str::to_owned).to_vec();
        for import in offers(&census) {
            assert_eq!(import.offer, Offer::Served, "{}", import.name);
        }
    }
}
