//! Everything from outside that a run can hear of besides its event, one trait for each input: two runs of the same code on the same event that
//! are told the same end alike.
//!
//! Requests go out by an [`Egress`](crate::egress::Egress), entries are in a [`KeyValue`](crate::key_value::KeyValue), both behind the run's
//! [`Grants`]; the clocks and the randomness are here. Whoever records a run puts around each something that writes down what it gave, and whoever
//! replays it something that gives it again.
//!
//! What is no input, and what a replay has to do about it:
//! - *Which of several things is ready first*, of timers and requests that a guest waits for at once, is as the machine has it. A guest that waits
//!   for one thing at a time hears no order. For others, the lists that `poll` answers with would be kept too.
//! - *The limits of time* end a run wherever it is by then, and so do `cancelled` and a request's own time-out, which is the sandbox's. What ended a
//!   run is in its record: a replay is given limits that it does not reach, and is compared as far as the run came; an `Egress` that never
//!   answers stands for the request.
//! - *A host without memory, or without room for another run,* is the host's failure and never the guest's: such a run is not worth a replay. How
//!   much a guest may grow is counted by its limits alone, so a refusal of theirs comes again.
//! - *The bits of a NaN* that arithmetic makes are the processor's: the same on all machines of a kind.
//!
//! The times in a run's log and what it used are told of a run, not to it.

use std::ops::Deref;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::Rng as _;

use crate::grants::Grants;

/// The inputs of one run. Made from its [`Grants`], they are the machine's own.
#[derive(Clone)]
pub struct Inputs {
    /// The requests and the entries that it may have.
    pub grants: Grants,
    /// The time of day.
    pub wall_clock: Input<dyn WallClock>,
    /// The time that passes.
    pub monotonic_clock: Input<dyn MonotonicClock>,
    /// What it cannot foresee.
    pub randomness: Input<dyn Randomness>,
}

/// One input, cheap to clone.
pub enum Input<T: ?Sized + 'static> {
    /// The machine's own, borrowed: a run that takes it pays nothing for the choice.
    Machine(&'static T),
    /// Another one.
    Instead(Arc<T>),
}

/// The time of day. A guest sees it in whole milliseconds.
pub trait WallClock: Send + Sync {
    /// Since 1970 began, in UTC.
    fn now(&self) -> Duration;
}

/// The time that passes, whatever becomes of the time of day. A guest sees it in whole milliseconds, from 1 on.
pub trait MonotonicClock: Send + Sync {
    /// Since a moment that stays the same for the whole run; never less than before.
    fn now(&self) -> Duration;
}

/// Randomness. It is asked once in a run, and only in one that calls WASI at all, so a record of it is short, whatever the guest draws.
pub trait Randomness: Send + Sync {
    /// What all randomness of a run is made from.
    fn seeds(&self) -> Seeds;
}

/// Seeds of a run's own generators. Both are ChaCha with twelve rounds, so that the same seeds draw the same whatever release replays them.
#[derive(Clone, Copy)]
pub struct Seeds {
    /// For `wasi:random/random`, and for `random_get` of preview 1.
    pub secure: [u8; 32],
    /// For `wasi:random/insecure`.
    pub insecure: [u8; 32],
    /// What `wasi:random/insecure-seed` answers.
    pub insecure_seed: u128,
}

/// The clocks of this machine, and the randomness of the thread: a ChaCha12 generator that takes its seed from the operating system
/// (`getrandom`), and a new one every 64 KiB.
struct Machine;

static MACHINE: Machine = Machine;

impl From<Grants> for Inputs {
    fn from(grants: Grants) -> Self {
        Self {
            grants,
            wall_clock: Input::Machine(&MACHINE),
            monotonic_clock: Input::Machine(&MACHINE),
            randomness: Input::Machine(&MACHINE),
        }
    }
}

impl From<&Grants> for Inputs {
    fn from(grants: &Grants) -> Self {
        grants.clone().into()
    }
}

impl<T: ?Sized> Clone for Input<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Machine(own) => Self::Machine(own),
            Self::Instead(other) => Self::Instead(Arc::clone(other)),
        }
    }
}

impl<T: ?Sized> Deref for Input<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Machine(own) => own,
            Self::Instead(other) => other,
        }
    }
}

impl WallClock for Machine {
    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

impl MonotonicClock for Machine {
    fn now(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }
}

impl Randomness for Machine {
    fn seeds(&self) -> Seeds {
        let mut thread = rand::rng();
        let mut seeds = Seeds { secure: [0; 32], insecure: [0; 32], insecure_seed: 0 };
        thread.fill_bytes(&mut seeds.secure);
        thread.fill_bytes(&mut seeds.insecure);
        let mut insecure_seed = [0; 16];
        thread.fill_bytes(&mut insecure_seed);
        seeds.insecure_seed = u128::from_le_bytes(insecure_seed);
        seeds
    }
}
