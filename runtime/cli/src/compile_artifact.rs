use std::process::ExitCode;

use sandbox::compile::{ChildLimits, child};

#[derive(clap::Args)]
pub(crate) struct CompileArtifact {
    #[arg(long)]
    memory_bytes: u64,
    #[arg(long)]
    cpu_seconds: u64,
    #[arg(long)]
    stack_bytes: usize,
}

impl CompileArtifact {
    pub(crate) fn run(self) -> ExitCode {
        let Self { memory_bytes, cpu_seconds, stack_bytes } = self;
        child(ChildLimits { memory_bytes, cpu_seconds, stack_bytes })
    }
}
