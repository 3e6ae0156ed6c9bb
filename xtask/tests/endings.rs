//! What is left when a program of this repository ends: nothing.

#![cfg(test)]

use std::fs;
use std::io::pipe;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn a_folder_is_swept_when_the_last_who_works_in_it_has_gone() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("swept");
    fs::create_dir_all(folder.join("within")).unwrap();
    let (end, hold) = pipe().unwrap();
    let mut worker = Command::new("sleep").arg("60").stdin(hold.try_clone().unwrap()).spawn().unwrap();
    let mut sweeper =
        Command::new(env!("CARGO_BIN_EXE_xtask")).args(["sweep", "--folder"]).arg(&folder).stdin(end).spawn().unwrap();

    drop(hold);
    std::thread::sleep(Duration::from_millis(300));
    assert!(folder.exists(), "the worker still needs it");

    worker.kill().unwrap();
    worker.wait().unwrap();
    assert!(sweeper.wait().unwrap().success());
    assert!(!folder.exists());
}

/// The parent is a shell, which is then killed so that it cannot say goodbye.
#[test]
fn a_program_on_the_leash_gets_the_chosen_signal_when_its_parent_is_killed() {
    let (mut end, hold) = pipe().unwrap();
    let xtask = env!("CARGO_BIN_EXE_xtask");
    // `trap` tells which signal came; `:` keeps the shell from becoming the leash.
    let script = format!(
        "{xtask} leash --parent=$$ --signal=2 -- sh -c 'trap \"echo SIGINT; exit\" INT; echo ready; while :; do sleep 0.05; done'; :"
    );
    let mut parent = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).stdout(hold).spawn().unwrap();

    let mut ready = [0; 6];
    std::io::Read::read_exact(&mut end, &mut ready).unwrap();
    parent.kill().unwrap();
    parent.wait().unwrap();

    assert_eq!(std::io::read_to_string(end).unwrap(), "SIGINT\n");
}
