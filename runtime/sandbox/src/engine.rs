//! The one place that configures wasmtime, for running and for compiling alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::{Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

use crate::gates::Gates;

/// The length of one epoch, unless configured otherwise.
pub const DEFAULT_TICK: Duration = Duration::from_millis(1);

/// The WebAssembly stack of a run, unless configured otherwise.
pub const DEFAULT_STACK_BYTES: usize = 512 << 10;

/// What a host function finds on top of the guest's stack: SECURITY's corpus calls hosts that need 300 KiB at full depth.
const HOST_STACK_BYTES: usize = 1536 << 10;

/// Guests up to about this size keep their pages between runs (SPEED: page faults are the cost of a fresh instance).
const KEEP_RESIDENT_BYTES: usize = 1 << 20;

/// What a guest's stack is reset by hand, rather than given back: more than the Rust examples use. Four times as much would push everything
/// else out of the core's first cache at each run.
const KEEP_RESIDENT_STACK_BYTES: usize = 16 << 10;

/// The same where the kernel cannot tell touched pages: resetting then costs a copy of all that is kept.
const KEEP_RESIDENT_BLIND_BYTES: usize = 64 << 10;

/// Everything that the compiled code depends on; the compile child and the runs must agree on it to the last switch.
fn config(stack_bytes: usize) -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    config
        .concurrency_support(false)
        .wasm_tail_call(true)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .gc_support(false)
        .wasm_threads(false)
        .shared_memory(false)
        .wasm_memory64(false)
        // The gate refuses modules with several memories. This is for wasmtime's own adapters between composed components: without it,
        // compiling one that passes a string panics.
        .wasm_multi_memory(true)
        .wasm_relaxed_simd(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .epoch_interruption(true)
        .max_wasm_stack(stack_bytes)
        .async_stack_size(stack_bytes + HOST_STACK_BYTES)
        .async_stack_zeroing(true)
        .memory_init_cow(true)
        .memory_reservation(4 << 30)
        .guard_before_linear_memory(true)
        .native_unwind_info(false)
        .debug_symbols(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .coredump_on_trap(true);
    config
}

/// The engine of the compile child: no pool, nothing reserved.
pub(crate) fn for_compiling(stack_bytes: usize) -> wasmtime::Result<Engine> {
    Engine::new(&config(stack_bytes))
}

/// What one of our own runners needs.
const MEMORIES_OF_A_RUNNER: u32 = 2;

/// The engine that runs guests: `runs` of them at once out of one pool, each reset before the next tenant gets it; and one place more, for the source
/// that is compiled meanwhile.
pub(crate) fn for_running(runs: u32, stack_bytes: usize) -> wasmtime::Result<Engine> {
    let scan = knows_touched_pages();
    let places = runs.saturating_add(1);
    let keep_resident = if scan { KEEP_RESIDENT_BYTES } else { KEEP_RESIDENT_BLIND_BYTES };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(places)
        .total_core_instances(places.saturating_mul(Gates::CORE_INSTANCES))
        .total_memories(runs.saturating_mul(Gates::MEMORIES).saturating_add(MEMORIES_OF_A_RUNNER))
        .total_tables(places.saturating_mul(Gates::TABLES))
        .total_stacks(places)
        .max_core_instances_per_component(Gates::CORE_INSTANCES)
        .max_memories_per_component(Gates::MEMORIES)
        .max_tables_per_component(Gates::TABLES)
        .max_memories_per_module(1)
        .max_tables_per_module(Gates::TABLES)
        .max_core_instance_size(Gates::INSTANCE_STATE_BYTES)
        .max_component_instance_size(Gates::INSTANCE_STATE_BYTES)
        .max_memory_size(Gates::MEMORY_BYTES)
        .table_elements(Gates::TABLE_ELEMENTS)
        .max_unused_warm_slots(places)
        .decommit_batch_size(1)
        .linear_memory_keep_resident(keep_resident)
        .table_keep_resident(keep_resident)
        .async_stack_keep_resident(KEEP_RESIDENT_STACK_BYTES)
        .pagemap_scan(if scan { Enabled::Yes } else { Enabled::No });
    let mut config = config(stack_bytes);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// Whether the kernel can list the pages that a guest touched. Not used where the process can be swapped: wasmtime 48 then
/// leaves a swapped-out page to the slot's next guest.
fn knows_touched_pages() -> bool {
    let swap_is_off = std::fs::read_to_string("/proc/swaps").is_ok_and(|swaps| swaps.lines().count() <= 1);
    swap_is_off && kernel_is_at_least(6, 7)
}

fn kernel_is_at_least(major: u32, minor: u32) -> bool {
    let release = rustix::system::uname();
    let mut numbers =
        release.release().to_str().unwrap_or_default().split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    matches!((numbers.next(), numbers.next()), (Some(x), Some(y)) if (x, y) >= (major, minor))
}

/// The clock of an engine's epochs: an OS thread, so that no busy executor can hold it up. It ends when dropped.
pub(crate) struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine, tick: Duration) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, engine) = (Arc::clone(&stop), engine.weak());
        let thread = thread::Builder::new().name("codenode-epoch".into()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                thread::sleep(tick);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A ticker that panicked has nothing left to stop.
            let _ = thread.join();
        }
    }
}
