//! Corpus A again: the compile child under its limits, and the cache of what it made.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use model::{Limits, Outcome};
use sandbox::{Config, PrepareError};
use tempfile::TempDir;

use super::{SHORT, generated};
use crate::support::{House, cached, guest, sandbox_in};

/// A compiler that leaves a mark in `folder/marks` each time that it is started.
fn counting(folder: &Path) {
    counting_and(folder, &format!("exec '{}' \"$@\"", env!("CARGO_BIN_EXE_codenode")));
}

/// The same, that then does what these lines of shell say.
fn counting_and(folder: &Path, then: &str) {
    let (script, marks) = (folder.join("compiler"), folder.join("marks"));
    fs::write(&marks, "").unwrap();
    fs::write(&script, format!("#!/bin/sh\necho started >> '{}'\n{then}\n", marks.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
}

/// How often the counting compiler was started.
fn compilations(folder: &Path) -> usize {
    fs::read_to_string(folder.join("marks")).unwrap().lines().count()
}

fn house_in(folder: &TempDir) -> House {
    House::with(|config| {
        config.cache_dir = folder.path().join("cache");
        config.compiler = folder.path().join("compiler");
    })
}

fn answers(house: &House) {
    let run = house.try_out("answers", &Limits::DEFAULT);
    assert!(matches!(&run.outcome, Outcome::Reply(reply) if reply.as_str() == guest::OK), "{run:?}");
}

#[test]
fn fifty_that_want_the_same_artifact_at_once_wait_for_one_compilation() {
    let folder = TempDir::new().unwrap();
    counting(folder.path());
    let house = house_in(&folder);
    let artifact = guest::named("answers");
    house.runtime.block_on(async {
        let mut waiting = Vec::new();
        for _ in 0..50 {
            let (sandbox, artifact) = (house.sandbox.clone(), artifact.clone());
            waiting.push(tokio::spawn(async move { sandbox.prepare(&artifact).await.map(drop) }));
        }
        for one in waiting {
            one.await.unwrap().unwrap();
        }
    });
    assert_eq!(compilations(folder.path()), 1);
    let restarted = house_in(&folder);
    answers(&restarted);
    assert_eq!(compilations(folder.path()), 1, "the cache outlives the sandbox");
}

/// What happens to which of the two files.
type Damage = (&'static str, fn(&Path));

#[test]
fn whatever_in_the_cache_is_not_what_was_written_is_compiled_anew() {
    let folder = TempDir::new().unwrap();
    counting(folder.path());
    let house = house_in(&folder);
    answers(&house);
    let only = |extension: &str| cached(folder.path(), extension).pop().unwrap();
    let damages: [Damage; 7] = [
        ("cwasm", flip_a_bit),
        ("cwasm", |file| fs::write(file, b"").unwrap()),
        ("cwasm", |file| fs::remove_file(file).unwrap()),
        ("cwasm", |file| fs::set_permissions(file, fs::Permissions::from_mode(0o660)).unwrap()),
        ("json", |file| fs::write(file, b"{\"inspection\":").unwrap()),
        ("json", |file| fs::remove_file(file).unwrap()),
        ("json", |file| fs::write(file, fs::read_to_string(file).unwrap().replacen('a', "b", 1)).unwrap()),
    ];
    for (at, (extension, damage)) in damages.into_iter().enumerate() {
        damage(&only(extension));
        answers(&house);
        assert_eq!(compilations(folder.path()), at + 2, "after damage {at}");
        answers(&house_in(&folder));
        assert_eq!(compilations(folder.path()), at + 2, "mended after damage {at}");
    }
}

fn flip_a_bit(file: &Path) {
    let mut code = fs::read(file).unwrap();
    let middle = code.len() / 2;
    code[middle] ^= 1;
    fs::write(file, code).unwrap();
}

#[test]
fn a_cache_that_others_can_write_is_refused() {
    let folder = TempDir::new().unwrap();
    let cache = folder.path().join("cache");
    fs::create_dir(&cache).unwrap();
    for mode in [0o770, 0o777, 0o702] {
        fs::set_permissions(&cache, fs::Permissions::from_mode(mode)).unwrap();
        let error = sandbox_in(folder.path(), |_| {}).err().unwrap().to_string();
        let error = error.replace(cache.to_str().unwrap(), "cache");
        assert_eq!(error, "cache can be written by others: give it to this user alone (chmod 700)");
    }
}

#[test]
fn the_machine_code_of_another_engine_is_left_alone() {
    let folder = TempDir::new().unwrap();
    counting(folder.path());
    let house = house_in(&folder);
    let id = sandbox::inspect(&guest::named("answers")).artifact;
    let foreign = folder.path().join("cache/0123456789abcdef");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join(format!("{id}.cwasm")), b"\x7fELF from elsewhere").unwrap();
    answers(&house);
    assert_eq!(compilations(folder.path()), 1);
    assert_eq!(fs::read(foreign.join(format!("{id}.cwasm"))).unwrap(), b"\x7fELF from elsewhere");
}

#[test]
fn what_was_refused_is_refused_again_without_a_compilation() {
    let folder = TempDir::new().unwrap();
    counting(folder.path());
    let house = house_in(&folder);
    let (by_inspection, by_compiler) = (generated::functions(100_000), generated::branches(1_000_000));
    for _ in 0..3 {
        assert!(matches!(house.try_prepare(&by_inspection), Err(PrepareError::Refused(_))));
    }
    assert_eq!(compilations(folder.path()), 0);
    for _ in 0..3 {
        assert!(matches!(house.try_prepare(&by_compiler), Err(PrepareError::Refused(_))));
    }
    assert_eq!(compilations(folder.path()), 1);
}

#[test]
fn the_compile_child_dies_of_its_own_limits_and_each_has_its_refusal() {
    let heavy = generated::calls(500_000);
    let refusal = |change: fn(&mut Config)| {
        let house = House::with(change);
        let began = Instant::now();
        let refused = house.try_prepare(&heavy).err().map_or_else(|| "compiled".to_owned(), |error| error.to_string());
        assert!(began.elapsed() < Duration::from_secs(20), "{refused} took {:?}", began.elapsed());
        assert!(house.cached("draft").is_empty() && house.cached("cwasm").is_empty(), "{refused} left its draft");
        answers(&House::open());
        refused
    };
    let memory = refusal(|config| config.compile_limits.memory_bytes = 256 << 20);
    insta::assert_snapshot!(memory, @"the artifact takes more than 256.0 MiB of memory to compile");
    let cpu = refusal(|config| config.compile_limits.cpu_time = Duration::from_secs(1));
    insta::assert_snapshot!(cpu, @"the artifact takes more than 1s of CPU time to compile");
    let wall = refusal(|config| config.compile_limits.wall_time = Duration::from_millis(500));
    insta::assert_snapshot!(wall, @"the artifact takes longer to compile than 500ms");
}

#[test]
fn a_compiler_that_is_not_there_or_fails_is_the_hosts_fault() {
    for program in ["/nonexistent/codenode", "/bin/false", "/bin/cat"] {
        let house = House::with(|config| config.compiler = program.into());
        let error = house.try_prepare(&guest::named("answers")).err();
        assert!(matches!(error, Some(PrepareError::Host(_))), "{program}: {error:?}");
        assert!(house.cached("draft").is_empty());
    }
}

/// What three tries come to with a compiler that does this, and how often it was started.
fn three_tries(then: &str) -> String {
    let folder = TempDir::new().unwrap();
    counting_and(folder.path(), then);
    let house = house_in(&folder);
    let verdict = || match house.try_prepare(&guest::named("answers")).err() {
        Some(PrepareError::Refused(problems)) => format!("refused: {}", problems.join("; ")),
        Some(error) => format!("not now: {error}"),
        None => "compiled".to_owned(),
    };
    let mut verdicts: Vec<String> = (0..3).map(|_| verdict()).collect();
    verdicts.dedup();
    let left = |extension: &str| cached(folder.path(), extension);
    assert!(left("draft").is_empty() && left("cwasm").is_empty(), "{verdicts:?} left its draft");
    format!("{} ({} started)", verdicts.join(", then "), compilations(folder.path()))
}

#[test]
fn an_artifact_that_the_compiler_fails_on_is_refused_from_then_on() {
    let panic = |says: &str| {
        format!("echo \"\nthread 'main' panicked at /src/lib.rs:1:2:\n{says}\nnote: a note\" >&2; exit 101")
    };
    let cases = [
        ("a panic", panic("no entry found")),
        ("a panic about a file", panic("index 4 of '/home/asha/.cargo/lib.rs' is out of bounds")),
        ("a panic without words", "exit 101".to_owned()),
        ("a crash", "kill -SEGV $$".to_owned()),
        ("a stack that overflows", "echo 'fatal runtime error: stack overflow' >&2; kill -ABRT $$".to_owned()),
        ("a refusal of 1 MB", "yes 'it is too large' | head -n 65536 >&2 || exit 101; exit 3".to_owned()),
    ];
    let lines: Vec<String> = cases.iter().map(|(name, then)| format!("{name}: {}", three_tries(then))).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    a panic: refused: makes the compiler fail (exit status: 101): no entry found; report it with the artifact (1 started)
    a panic about a file: refused: makes the compiler fail (exit status: 101): index 4 of '.cargo/lib.rs' is out of bounds; report it with the artifact (1 started)
    a panic without words: refused: makes the compiler fail (exit status: 101): it gave no reason; report it with the artifact (1 started)
    a crash: refused: makes the compiler fail (signal: 11 (SIGSEGV)): it gave no reason; report it with the artifact (1 started)
    a stack that overflows: refused: makes the compiler fail (signal: 6 (SIGABRT)): fatal runtime error: stack overflow; report it with the artifact (1 started)
    a refusal of 1 MB: refused: it is too large (1 started)
    ");
}

#[test]
fn what_may_be_better_tomorrow_is_tried_again() {
    let cases = [
        ("killed", "kill -KILL $$"),
        ("an error of its own", "echo 'no space left on device' >&2; exit 1"),
        (
            "a panic for want of threads",
            "echo \"thread 'main' panicked at src/lib.rs:1:2:\nOs { code: 11, kind: WouldBlock }\" >&2; exit 101",
        ),
        ("not executable by this shell", "exit 127"),
    ];
    let lines: Vec<String> = cases.iter().map(|(name, then)| format!("{name}: {}", three_tries(then))).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    killed: not now: the compile child ended with signal: 9 (SIGKILL): it gave no reason (3 started)
    an error of its own: not now: the compile child ended with exit status: 1: no space left on device (3 started)
    a panic for want of threads: not now: the compile child ended with exit status: 101: Os { code: 11, kind: WouldBlock } (3 started)
    not executable by this shell: not now: the compile child ended with exit status: 127: it gave no reason (3 started)
    ");
}

#[test]
fn an_upload_that_is_given_up_leaves_no_child_and_no_draft() {
    let house = House::open();
    let artifact = generated::calls(20_000);
    for offset in 0..20 {
        let patience = Duration::from_millis(5 * offset);
        let given_up = house
            .runtime
            .block_on(async { tokio::time::timeout(patience, house.sandbox.prepare(&artifact)).await.is_err() });
        assert!(house.cached("draft").is_empty(), "a draft after {patience:?}");
        if !given_up {
            break;
        }
    }
    let run = house.run(&house.prepare(&artifact), &SHORT);
    assert!(matches!(run.outcome, Outcome::BotBreak(_)), "{run:?}");
}

#[test]
fn code_that_no_release_has_used_for_a_week_is_removed_and_nothing_else() {
    const DAY: Duration = Duration::from_secs(86_400);
    let folder = TempDir::new().unwrap();
    counting(folder.path());
    let house = house_in(&folder);
    answers(&house);
    let now = SystemTime::now();
    let own = cached(folder.path(), "cwasm").pop().unwrap().parent().unwrap().to_owned();
    let beside = |name: &str| {
        let folder = own.with_file_name(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("code.cwasm"), "code").unwrap();
        folder
    };
    let another = beside("0123456789abcdef");
    let foreign = ["our-own-notes", "0123456789abcdeg", "0123456789abcde"].map(beside);

    let tidy = |days: u32| house.sandbox.tidy(now + days * DAY);
    assert_eq!([tidy(0), tidy(6)], [0, 0]);
    // As the other release does, as long as it runs.
    File::open(&another).unwrap().set_modified(now + 5 * DAY).unwrap();
    assert_eq!([tidy(8), tidy(11)], [0, 0]);
    assert!(another.join("code.cwasm").exists());
    assert_eq!([tidy(13), tidy(14)], [1, 0]);
    assert!(!another.exists() && foreign.iter().all(|folder| folder.join("code.cwasm").exists()));

    let used = fs::metadata(&own).unwrap().modified().unwrap();
    assert!(used > now + 13 * DAY, "the other release sees that this one runs");
    assert_eq!(tidy(60), 0);
    answers(&house);
    assert_eq!(compilations(folder.path()), 1);
}
