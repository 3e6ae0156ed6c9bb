//! The bounds on what may be compiled at all, and on the pool that runs it.

/// Measured on what must pass (CPython 3.14 by componentize-py, SpiderMonkey by componentize-js) and on what must not
/// (the compile bombs of the hostile corpus); the compile child's own limits stand behind them.
pub(crate) struct Gates;

impl Gates {
    /// An uploaded artifact.
    pub(crate) const ARTIFACT_BYTES: usize = 64 << 20;
    /// Functions of all core modules together.
    pub(crate) const FUNCTIONS: u64 = 60_000;
    /// The code of one function.
    pub(crate) const BODY_BYTES: u64 = 1 << 20;
    /// Blocks, loops and conditions inside one another.
    pub(crate) const BLOCK_DEPTH: usize = 1_000;
    /// Loops inside one another: the compiler's time is worse than linear in this.
    pub(crate) const LOOP_DEPTH: usize = 100;
    /// Imports of one core module or component.
    pub(crate) const IMPORTS: u32 = 2_000;
    /// Data and element segments of all core modules together.
    pub(crate) const SEGMENTS: u64 = 100_000;
    /// Core modules in a component.
    pub(crate) const MODULES: u64 = 64;
    /// Components inside one another.
    pub(crate) const NESTING: usize = 8;
    /// Core instances of one component.
    pub(crate) const CORE_INSTANCES: u32 = 64;
    /// Linear memories of one component.
    pub(crate) const MEMORIES: u32 = 8;
    /// Tables of one component.
    pub(crate) const TABLES: u32 = 16;
    /// Elements of one table.
    pub(crate) const TABLE_ELEMENTS: usize = 64 << 10;
    /// One linear memory, which is the hard cap of all of a run's memory.
    #[expect(clippy::cast_possible_truncation, reason = "512 MiB fits every usize that wasmtime runs on")]
    pub(crate) const MEMORY_BYTES: usize = model::Limits::CAPS.memory_bytes as usize;
    /// What the engine keeps for one instance besides memories and tables: grows with functions, imports and globals.
    pub(crate) const INSTANCE_STATE_BYTES: usize = 4 << 20;
}
