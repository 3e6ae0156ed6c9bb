//! Ctrl-C, a closed terminal, a build server that gives up: whatever ends codenode ends what it has started.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::super::server::CODENODE;
use super::super::source_nodes;
use super::{Author, Project, patiently};

/// A project whose artifact this script makes, and a command on it that waits for its standard input.
fn starts(project: &Project<'_>, script: &str, arguments: &[&str]) -> Child {
    project.write("node.toml", "name = \"made\"\n[build]\ncommand = [\"sh\", \"make.sh\"]\nartifact = \"made.py\"\n");
    project.write("make.sh", script);
    Command::new(CODENODE)
        .args(arguments)
        .current_dir(&project.folder)
        .env("CODENODE_CACHE_DIR", source_nodes::cache())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Sends a signal and gives the exit code.
fn ends(child: &mut Child, signal: Signal) -> Option<i32> {
    kill_process(Pid::from_child(child), signal).unwrap();
    patiently(|| child.try_wait().unwrap()).expect("the end").code()
}

#[test]
fn a_build_under_way_ends_with_us() {
    let author = Author::new();
    let project = author.project("made", "python", "minimal");
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let _ = fs::remove_file(project.path("pid"));
        let mut build = starts(&project, "echo $$ > pid; exec sleep 600", &["build"]);
        let pid = patiently(|| fs::read_to_string(project.path("pid")).ok().filter(|pid| pid.ends_with('\n')));
        let process = Path::new("/proc").join(pid.expect("a build").trim());
        assert_eq!(ends(&mut build, signal), Some(code));
        patiently(|| (!process.exists()).then_some(())).expect("the end of the build");
    }
}

#[test]
fn a_build_that_is_over_leaves_ctrl_c_as_it_was() {
    let author = Author::new();
    let project = author.project("made", "python", "minimal");
    let mut run = starts(&project, "cp main.py made.py; touch over", &["run", "--event", "-"]);
    patiently(|| project.path("over").exists().then_some(())).expect("the end of the build");
    assert_eq!(ends(&mut run, Signal::INT), Some(130));
}
