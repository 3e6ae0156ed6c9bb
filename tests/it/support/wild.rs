//! A stream of pseudo-random bytes from a seed, so that what once failed fails again.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

/// The bytes of one seed.
pub(crate) struct Wild {
    seed: u64,
    drawn: u64,
}

impl Wild {
    /// Begins the stream of `seed`.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// `count` bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.next().to_le_bytes()).flatten().take(count).collect()
    }

    fn next(&mut self) -> u64 {
        self.drawn += 1;
        BuildHasherDefault::<DefaultHasher>::default().hash_one((self.seed, self.drawn))
    }
}
