//! A guest's backtrace for its author: function names, and file:line where the guest carries DWARF.

use model::Frame;
use wasmtime::{Error, FrameInfo, FrameSymbol, WasmBacktrace};

/// The most different frames that a record keeps.
const MAX_FRAMES: usize = 32;

/// The longest function name; generics can grow without bound.
const MAX_NAME_BYTES: usize = 200;

/// The guest's frames when `error` arose, innermost first.
pub(crate) fn frames(error: &Error) -> Vec<Frame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let mut frames: Vec<Frame> = Vec::new();
    for frame in backtrace.frames().iter().flat_map(frame) {
        let again = frames.last_mut().filter(|last| last.function == frame.function && last.location == frame.location);
        if let Some(last) = again {
            last.times += 1;
        } else if frames.len() < MAX_FRAMES {
            frames.push(frame);
        } else {
            break;
        }
    }
    frames
}

/// One frame of machine code can hold several inlined functions.
fn frame(info: &FrameInfo) -> Vec<Frame> {
    let named = |name: Option<&str>| match name {
        Some(name) => cut(&format!("{:#}", rustc_demangle::demangle(name))),
        None => format!("<wasm function {}>", info.func_index()),
    };
    if info.symbols().is_empty() {
        return vec![Frame { function: named(info.func_name()), location: None, times: 1 }];
    }
    let symbols = info.symbols().iter();
    symbols
        .map(|symbol| Frame {
            function: named(symbol.name().or(info.func_name())),
            location: location(symbol),
            times: 1,
        })
        .collect()
}

fn location(symbol: &FrameSymbol) -> Option<String> {
    let mut location = without_machine(symbol.file()?);
    if let Some(line) = symbol.line() {
        location = format!("{location}:{line}");
        if let Some(column) = symbol.column() {
            location = format!("{location}:{column}");
        }
    }
    Some(cut(&location))
}

/// The part of a path that says something to its author and nothing about a machine: from the package's folder on.
fn without_machine(path: &str) -> String {
    let parts: Vec<&str> =
        path.split(['/', '\\']).filter(|part| !part.is_empty() && *part != "." && *part != "..").collect();
    let source = parts.iter().rposition(|part| *part == "src");
    let start = source.map_or(parts.len().saturating_sub(2), |source| source.saturating_sub(1));
    if path.starts_with('/') || path.contains(':') || path.contains("..") {
        parts.get(start..).unwrap_or_default().join("/")
    } else {
        path.to_owned()
    }
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_NAME_BYTES);
    if end < text.len() { format!("{}…", text.get(..end).unwrap_or_default()) } else { text.to_owned() }
}

/// The first line of a message, bounded.
pub(crate) fn one_line(text: &str) -> String {
    cut(text.lines().next().unwrap_or_default())
}

/// The first line of a message, bounded, with what its paths say of a machine taken out.
pub(crate) fn without_paths(text: &str) -> String {
    let shorten = |word: &str| {
        let start = word.find(|character: char| !"\"'`([<{".contains(character)).unwrap_or_default();
        let (opening, path) = word.split_at(start);
        if path.starts_with('/') { format!("{opening}{}", without_machine(path)) } else { word.to_owned() }
    };
    one_line(&text.lines().next().unwrap_or_default().split(' ').map(shorten).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_names_the_package_and_nothing_of_the_machine() {
        for (path, shown) in [
            ("/home/asha/bots/naughty/src/lib.rs", "naughty/src/lib.rs"),
            (
                "/home/asha/.cargo/registry/src/index.crates.io-1/serde_json-1.0.1/src/de.rs",
                "serde_json-1.0.1/src/de.rs",
            ),
            ("/rustc/0123abcd/library/core/src/panicking.rs", "core/src/panicking.rs"),
            ("C:\\Users\\asha\\bot\\src\\main.rs", "bot/src/main.rs"),
            ("/tmp/build/handler.c", "build/handler.c"),
            ("examples/naughty/src/lib.rs", "examples/naughty/src/lib.rs"),
            ("../../../home/asha/x/y.c", "x/y.c"),
        ] {
            assert_eq!(without_machine(path), shown, "{path}");
        }
    }

    #[test]
    fn a_message_keeps_its_words_and_loses_its_paths() {
        for (text, shown) in [
            ("no entry found for key", "no entry found for key"),
            ("cannot read '/home/asha/.cache/x.wasm' and/or y\nmore", "cannot read '.cache/x.wasm' and/or y"),
            ("at (/work/codenode/src/lib.rs:7:1): 4/2 != 3", "at (codenode/src/lib.rs:7:1): 4/2 != 3"),
        ] {
            assert_eq!(without_paths(text), shown);
        }
    }

    #[test]
    fn names_are_bounded() {
        assert_eq!(cut(&"é".repeat(200)).chars().count(), 101);
    }
}
