//! What is measured, one file for each question.

mod cold_start;
mod density;
mod memory;
mod neighbour;
mod open_loop;
mod reach;
mod size;
mod soak;
mod stored;
mod throughput;

use std::time::Duration;

use clap::ValueEnum;

use crate::contestant::{Contestant, Files};
use crate::figures::Figures;
use crate::load::Phases;

pub use neighbour::{BESIDE_LOOPS, QUIET};
pub use throughput::{BOTH_CORES, ONE_CORE};

/// A question that the bench can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Requests per second and latency over 1, 32 and 256 connections
    Throughput,
    /// Latency at half and at four fifths of the peak, every stall counted
    OpenLoop,
    /// A good node beside eight that never end
    Neighbour,
    /// From nothing to the first reply
    ColdStart,
    /// Thousands of nodes, most of them idle
    Density,
    /// What a run under way takes
    Memory,
    /// Cost against the size of the event
    Size,
    /// A node that was deployed over the API against one of the configuration file
    Stored,
    /// One request to a service and one entry looked up, against the same done natively
    Reach,
    /// The same load for minutes: does memory grow?
    Soak,
}

/// What every scenario gets.
pub struct Stage<'a> {
    /// What was built.
    pub files: &'a Files,
    /// Who takes part.
    pub contestants: &'a [Contestant],
    /// How often everything is measured, interleaved.
    pub rounds: usize,
    /// How long one load is measured.
    pub measured: Duration,
    /// How long a soak is.
    pub soak: Duration,
    /// How many nodes a dense host has.
    pub nodes: &'a [usize],
}

impl Scenario {
    /// Measures it; what was measured before it failed stays in `figures`.
    ///
    /// # Errors
    /// A contestant cannot be started or does not answer as it should.
    pub fn measure(self, stage: &Stage<'_>, figures: &mut Figures) -> anyhow::Result<()> {
        match self {
            Self::Throughput => throughput::measure(stage, figures),
            Self::OpenLoop => open_loop::measure(stage, figures),
            Self::Neighbour => neighbour::measure(stage, figures),
            Self::ColdStart => cold_start::measure(stage, figures),
            Self::Density => density::measure(stage, figures),
            Self::Memory => memory::measure(stage, figures),
            Self::Size => size::measure(stage, figures),
            Self::Stored => stored::measure(stage, figures),
            Self::Reach => reach::measure(stage, figures),
            Self::Soak => soak::measure(stage, figures),
        }
    }
}

impl Stage<'_> {
    /// Those contestants that stand in `names`.
    fn only<'s>(&'s self, names: &'s [&str]) -> impl Iterator<Item = &'s Contestant> {
        self.contestants.iter().filter(|contestant| names.contains(&contestant.name.as_str()))
    }

    /// A warm-up as long as half of what is measured.
    fn phases(&self) -> Phases {
        Phases { warm_up: self.measured / 2, measured: self.measured }
    }
}
