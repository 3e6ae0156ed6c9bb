//! Handlers in Python and TypeScript that are built into components, by the tools that their authors have.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Author, Project};

pub(super) const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/toolchains");

/// Whose machine has Python with componentize-py, and Node.js.
fn author() -> Author {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut author = Author::new();
    author.shell = author.shell.with("PATH", &format!("{TOOLS}/python/bin:{path}"));
    author
}

/// A project of a template that is to be a component.
fn component<'a>(author: &'a Author, name: &str, language: &str) -> Project<'a> {
    let project = author.project(name, language, "minimal");
    project.write("node.toml", &format!("name = \"{name}\"\ncomponent = true\n"));
    project
}

/// A package of pure Python, as a registry has it.
fn wheel(folder: &Path) -> PathBuf {
    let wheel = folder.join("greetings-1.0-py3-none-any.whl");
    let script = "import sys, zipfile\n\
        with zipfile.ZipFile(sys.argv[1], 'w') as wheel:\n \
        wheel.writestr('greetings.py', 'HELLO = \"Namaste\"')\n \
        wheel.writestr('greetings-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: greetings\\nVersion: 1.0\\n')\n \
        wheel.writestr('greetings-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n \
        wheel.writestr('greetings-1.0.dist-info/RECORD', '')\n";
    assert!(Command::new("python3").args(["-c", script]).arg(&wheel).status().unwrap().success());
    wheel
}

#[test]
fn python_is_built_with_the_packages_that_it_asks_for() {
    let author = author();
    let project = component(&author, "greeter", "python");
    project.write(
        "main.py",
        "import greetings\n\n\ndef handle(event):\n    return {\"response\": [f\"{greetings.HELLO} {event['user']['full_name']}\"]}\n",
    );
    project.write("requirements.txt", &format!("{}\n", wheel(author.shell.home.path()).display()));
    let built = project.does("build", "");
    assert!(built.contains("artifact  ") && built.contains(".codenode/build/greeter.wasm"), "{built}");
    let differs = project.fails("test", "");
    assert!(differs.contains("Namaste Asha"), "{differs}");
    project.does("test", "--update");
    assert!(project.read("events/asha.reply.json").contains("Namaste Asha"));
    project.write("main.py", "def handle(event)\n");
    let wrong = project.fails("build", "");
    assert!(wrong.contains("main.py") && wrong.contains("SyntaxError"), "{wrong}");
}

#[test]
fn typescript_is_built_by_what_npm_brings() {
    let author = author();
    let project = component(&author, "typed", "typescript");
    project.write(
        "main.ts",
        "import { handler, Reply } from \"codenode\";\nimport { hello } from \"./hello.js\";\n\n\
         export const handle = handler((event) => new Reply(hello(event.user.fullName)));\n",
    );
    project.write(
        "hello.ts",
        "export function hello(name: string | undefined): string {\n  \
         return `${name ? `Hello ${name}` : \"Hello\"}, what can I do for you?`;\n}\n",
    );
    let missing = author.shell.type_in(&project.line("build", ""), b"").exits(2).err();
    assert!(missing.contains("`npm install --save-dev componentize-qjs@"), "{missing}");
    symlink(Path::new(TOOLS).join("javascript-sdk/node_modules"), project.path("node_modules")).unwrap();
    let built = project.does("build", "");
    assert!(built.contains(".codenode/build/typed.wasm"), "{built}");
    assert!(project.does("test", "").contains("2 events are as expected"));
    // Without the SDK, too, as it would be pasted.
    project.write(
        "main.ts",
        "export function handle(event: { node: string }) {\n  return { response: [event.node] };\n}\n",
    );
    project.does("build", "");
    assert!(project.fails("test", "").contains("+     \"typed\""));
    project.write("main.ts", "export const handle = (event: unknown) => {\n  return = 1;\n};\n");
    let wrong = project.fails("build", "");
    assert!(wrong.contains("main.ts:2"), "{wrong}");
}

#[test]
fn whoever_has_no_tools_is_told_what_installs_them() {
    let author = Author::new();
    let project = component(&author, "bare", "python");
    let missing = author.shell.type_in(&project.line("build", ""), b"").exits(2).err();
    assert!(
        missing.contains("componentize-py is not on this machine")
            && missing.contains("`pip install componentize-py==0"),
        "{missing}"
    );
}
