//! Thousands of nodes on one host, each with an artifact of its own, most of them idle.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::codenode::Setup;
use crate::contestant::{CODENODE, Files, NODE};
use crate::figures::Figures;
use crate::load::{self, Pace, Traffic};
use crate::price::EVENT;
use crate::process::{self, Cores, Holdings};

use super::Stage;

/// Nodes that are called while the others are idle: more than have their code loaded.
const CALLED: usize = 2_000;

pub(super) fn measure(stage: &Stage<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    let alone =
        Setup::new("alone").node(NODE, &stage.files.guest("product-price"), "").start(stage.files, Cores::Both)?;
    let empty = alone.holdings()?;
    alone.stop()?;
    for &count in stage.nodes {
        let artifacts = Artifacts::make(stage.files, count)?;
        dense(stage, &artifacts, empty, figures)?;
    }
    Ok(())
}

fn dense(stage: &Stage<'_>, artifacts: &Artifacts, empty: Holdings, figures: &mut Figures) -> anyhow::Result<()> {
    let nodes = artifacts.0.iter().enumerate();
    let setup = nodes.fold(Setup::new("density"), |setup, (at, artifact)| setup.node(&format!("N{at}"), artifact, ""));
    let start = Instant::now();
    let process = setup.start(stage.files, Cores::Both)?;
    // It listens before it is ready: only an answer says that every node was looked at.
    load::once(process.address, &Traffic::signed("N0", EVENT.as_bytes(), 1, 200, "The price of the speaker is"))?;
    let started_in = start.elapsed().as_secs_f64();
    let held = process.holdings()?;
    let count = artifacts.0.len();
    let scenario = format!("{count} nodes");
    let each = |held: u64, empty: u64| held.saturating_sub(empty) as f64 / count as f64;
    figures.add(&scenario, CODENODE, "start s", started_in);
    figures.add(&scenario, CODENODE, "anonymous KiB/node", each(held.anonymous, empty.anonymous) / 1024.0);
    figures.add(&scenario, CODENODE, "resident KiB/node", each(held.resident, empty.resident) / 1024.0);
    figures.add(&scenario, CODENODE, "descriptors", held.descriptors as f64);
    figures.add(&scenario, CODENODE, "maps", held.maps as f64);
    println!("    {count} nodes: {held:?}, started in {started_in:.1} s");
    let round_robin: Vec<Traffic> = (0..count.min(CALLED))
        .map(|at| Traffic::signed(&format!("N{at}"), EVENT.as_bytes(), 1, 200, "The price of the speaker is"))
        .collect();
    let start = Instant::now();
    process::on(Cores::Second, || round_robin.iter().try_for_each(|traffic| load::once(process.address, traffic)))?;
    let each = start.elapsed().as_secs_f64() * 1e6 / round_robin.len() as f64;
    figures.add(&scenario, CODENODE, "us/call, round robin, a connection each", each);
    let hot = Traffic::signed("N0", EVENT.as_bytes(), 32, 200, "The price of the speaker is");
    for seen in process::on(Cores::Second, || load::run(process.address, &[hot], Pace::Closed, stage.phases()))? {
        figures.add(&scenario, CODENODE, "req/s to one of them", seen.rate());
    }
    let after = process.holdings()?;
    figures.add(&scenario, CODENODE, "descriptors after the calls", after.descriptors as f64);
    figures.add(&scenario, CODENODE, "maps after the calls", after.maps as f64);
    process.stop()
}

/// Artifacts that differ in a custom section only, and their compiled code in the cache: that of one of them serves for all. To compile ten
/// thousand takes a quarter of an hour and is not what is measured here.
struct Artifacts(Vec<PathBuf>);

impl Artifacts {
    fn make(files: &Files, count: usize) -> anyhow::Result<Self> {
        let folder = files.scratch.join("artifacts");
        fs::create_dir_all(&folder)?;
        let guest = fs::read(files.guest("product-price"))?;
        let compiled = Compiled::find(&Setup::shared_cache(files), &sha256(&guest))?;
        let mut paths = Vec::with_capacity(count);
        for number in 0..count {
            let mut bytes = guest.clone();
            // Section 0, its size, a name of five bytes, and the number.
            bytes.extend_from_slice(&[0, 10, 5]);
            bytes.extend_from_slice(b"bench");
            bytes.extend_from_slice(&u32::try_from(number)?.to_le_bytes());
            let path = folder.join(format!("{number}.wasm"));
            fs::write(&path, &bytes)?;
            compiled.copy_for(&sha256(&bytes))?;
            paths.push(path);
        }
        Ok(Self(paths))
    }
}

/// The compiled code of one artifact, and what the cache wrote down with it.
struct Compiled {
    folder: PathBuf,
    code: PathBuf,
    label: Value,
}

impl Compiled {
    fn find(cache: &Path, artifact: &str) -> anyhow::Result<Self> {
        for folder in fs::read_dir(cache)? {
            let folder = folder?.path();
            let (code, label) = (folder.join(format!("{artifact}.cwasm")), folder.join(format!("{artifact}.json")));
            if code.is_file() {
                return Ok(Self { folder, code, label: serde_json::from_slice(&fs::read(label)?)? });
            }
        }
        anyhow::bail!("the compiled code of {artifact} is not in {}", cache.display())
    }

    fn copy_for(&self, artifact: &str) -> anyhow::Result<()> {
        let mut label = self.label.clone();
        let named = label.pointer_mut("/inspection/artifact").context("the cache's labels have another shape")?;
        *named = artifact.into();
        fs::copy(&self.code, self.folder.join(format!("{artifact}.cwasm")))?;
        fs::write(self.folder.join(format!("{artifact}.json")), label.to_string())?;
        Ok(())
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
