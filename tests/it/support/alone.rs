//! A test in a process of its own, for what only a quiet process can tell: its memory, its open files, its speed.

use std::any::type_name_of_val;
use std::env;
use std::process::Command;

/// Says to the child which test it is there for.
const ALONE: &str = "CODENODE_TEST_ALONE";

/// Runs `test` in a child process that runs nothing else, and fails with what it printed.
///
/// `test` must be a function or a closure in the test function itself: its type's name says which test to start again.
pub(crate) fn alone<F: FnOnce()>(test: F) {
    let path = type_name_of_val(&test).trim_end_matches("::{{closure}}");
    let name = path.split_once("::").expect("a test lives in a module").1.to_owned();
    if env::var_os(ALONE).is_some_and(|started_for| started_for.to_str() == Some(&name)) {
        return test();
    }
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(ALONE, &name)
        .env("INSTA_UPDATE", "no")
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success(), "{}\n{stdout}\n{stderr}", child.status);
    assert!(stdout.contains("1 passed"), "no test is called {name}:\n{stdout}");
    print!("{stdout}");
}
