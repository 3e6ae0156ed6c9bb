//! What a run is made of, without HTTP: the native handler's own compute, the signature, an instance, a call, and the whole run.

#![expect(clippy::unwrap_used, reason = "a bench that cannot run has nothing to say")]

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bench::price::{self, EVENT, Key, SECRET};
use criterion::{Criterion, criterion_group, criterion_main};
use model::{Event, Limits, Outcome};
use sandbox::source::artifact_of;
use sandbox::{Config, DEFAULT_LOADED, DEFAULT_LOADED_BYTES, DEFAULT_STACK_BYTES, DEFAULT_TICK, Grants, Sandbox};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use wasmtime::component::{Component, Linker, TypedFunc};
use wasmtime::{Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wit_component::ComponentEncoder;

type Handle = TypedFunc<(&'static str,), (Result<String, String>,)>;

fn in_process(criterion: &mut Criterion) {
    let key = Key::new(SECRET);
    let signature = key.sign(EVENT.as_bytes());
    criterion.bench_function("native compute", |bench| bench.iter(|| price::answer(EVENT.as_bytes()).unwrap()));
    criterion.bench_function("signature", |bench| bench.iter(|| key.verifies(signature.as_bytes(), EVENT.as_bytes())));
    bare_wasmtime(criterion).unwrap();
    whole_runs(criterion).unwrap();
}

/// What wasmtime alone takes, with nothing of ours around it: the part that we cannot make cheaper.
fn bare_wasmtime(criterion: &mut Criterion) -> anyhow::Result<()> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(4)
        .total_core_instances(16)
        .total_memories(4)
        .total_tables(8)
        .total_stacks(4)
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(1 << 20);
    let mut config = wasmtime::Config::new();
    config.concurrency_support(false).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config)?;
    let module = std::fs::read(guest("product-price"))?;
    let component = ComponentEncoder::default().module(&module)?.encode()?;
    let component = Component::new(&engine, component)?;
    let mut linker = Linker::<()>::new(&engine);
    linker.define_unknown_imports_as_traps(&component)?;
    let pre = linker.instantiate_pre(&component)?;
    criterion.bench_function("bare wasmtime: store, instance, drop", |bench| {
        bench.iter(|| pre.instantiate(&mut Store::new(&engine, ())).unwrap());
    });
    criterion.bench_function("bare wasmtime: store, instance, call, drop", |bench| {
        bench.iter(|| {
            let mut store = Store::new(&engine, ());
            let instance = pre.instantiate(&mut store).unwrap();
            let handle: Handle = instance.get_typed_func(&mut store, "handle").unwrap();
            handle.call(&mut store, (EVENT,)).unwrap().0.unwrap()
        });
    });
    // A guest that never frees would run out of memory, so its instance is renewed before it does.
    criterion.bench_function("bare wasmtime: call, reused instance", |bench| {
        bench.iter_batched_ref(
            || {
                let mut store = Store::new(&engine, ());
                let instance = pre.instantiate(&mut store).unwrap();
                let handle: Handle = instance.get_typed_func(&mut store, "handle").unwrap();
                handle.call(&mut store, (EVENT,)).unwrap().0.unwrap();
                (store, handle)
            },
            |(store, handle)| handle.call(store, (EVENT,)).unwrap().0.unwrap(),
            criterion::BatchSize::PerIteration,
        );
    });
    Ok(())
}

/// Store to reply, as the server does it: limits, usage, log and outcome included.
fn whole_runs(criterion: &mut Criterion) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let sandbox = Sandbox::new(Config {
        cache_dir: folder.path().join("compiled"),
        compiler: program()?,
        compile_limits: sandbox::compile::Limits::default(),
        runs: 8,
        loaded: DEFAULT_LOADED,
        loaded_bytes: DEFAULT_LOADED_BYTES,
        runners: Some(built("runners")),
        stack_bytes: DEFAULT_STACK_BYTES,
        tick: DEFAULT_TICK,
    })?;
    for (name, artifact) in [
        ("code node", guest("product-price")),
        ("code node with WASI", guest("product-price-p2")),
        ("command", guest("price-command")),
        ("Python source", example("price-python/main.py")),
        ("JavaScript source", example("price-javascript/main.js")),
    ] {
        whole_run(criterion, &runtime, &sandbox, name, &artifact)?;
    }
    Ok(())
}

fn whole_run(
    criterion: &mut Criterion,
    runtime: &Runtime,
    sandbox: &Sandbox,
    name: &str,
    artifact: &Path,
) -> anyhow::Result<()> {
    let prepared = runtime.block_on(sandbox.prepare(&artifact_of(artifact, std::fs::read(artifact)?)))?;
    let (limits, cancelled) = (Limits::DEFAULT, CancellationToken::new());
    criterion.bench_function(&format!("whole run: {name}"), |bench| {
        bench.to_async(runtime).iter(|| async {
            let event = Event::parse(EVENT.into()).unwrap();
            let run = sandbox.run(&prepared, &event, &limits, &Grants::default(), &cancelled).await;
            assert!(matches!(run.outcome, Outcome::Reply(_)), "{:?}", run.outcome);
            run
        });
    });
    Ok(())
}

fn guest(name: &str) -> PathBuf {
    built("guests").join(format!("{name}.wasm"))
}

fn built(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").join(folder)
}

fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(file)
}

/// The program whose child compiles: built beside this bench.
fn program() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe()?;
    let folder = this.ancestors().nth(2).context("the bench has no target folder")?;
    Ok(folder.join("codenode"))
}

criterion_group!(benches, in_process);
criterion_main!(benches);
