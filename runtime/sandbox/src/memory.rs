//! The memory of one run: every linear memory and table, added up against one limit.

use wasmtime::ResourceLimiter;

use crate::gates::Gates;

/// What one table element costs the host.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();

/// Sums what wasmtime's own limiter counts apart, remembers the peak, and whether the last word was a refusal.
pub(crate) struct Memory {
    limit: usize,
    used: usize,
    peak: usize,
    /// Granted a moment ago; given back if the growth then fails after all.
    granted: usize,
    refused: bool,
    ever_refused: bool,
}

impl Memory {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        let limit = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
        Self { limit, used: 0, peak: 0, granted: 0, refused: false, ever_refused: false }
    }

    /// The most that was in use at once, in bytes.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.peak as u64
    }

    /// Whether growth was refused and none was granted since: a guest that now gives up does so for want of memory.
    pub(crate) const fn is_refused(&self) -> bool {
        self.refused
    }

    /// Whether growth was ever refused: an interpreter that says so finds the room to say it in.
    pub(crate) const fn was_refused(&self) -> bool {
        self.ever_refused
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let total = self.used.saturating_add(bytes);
        self.refused = total > self.limit;
        if self.refused {
            self.ever_refused = true;
            self.granted = 0;
            return false;
        }
        self.granted = bytes;
        self.used = total;
        self.peak = self.peak.max(total);
        true
    }

    fn give_back(&mut self) {
        self.used = self.used.saturating_sub(self.granted);
        self.granted = 0;
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // Past the maximum that the guest declared for itself, the refusal is its own.
        if maximum.is_some_and(|maximum| desired > maximum && desired <= Gates::MEMORY_BYTES) {
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.give_back();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT_BYTES)))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.give_back();
        Ok(())
    }

    fn instances(&self) -> usize {
        Gates::CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        Gates::TABLES as usize
    }

    fn memories(&self) -> usize {
        Gates::MEMORIES as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: usize = 64 << 10;

    #[test]
    fn memories_and_tables_share_one_limit() {
        let mut memory = Memory::new(4 * PAGE as u64);
        assert!(memory.memory_growing(0, 2 * PAGE, None).unwrap());
        assert!(memory.memory_growing(0, PAGE, None).unwrap());
        assert!(memory.table_growing(0, 1_000, None).unwrap());
        assert!(!memory.memory_growing(PAGE, 2 * PAGE, None).unwrap());
        assert!(memory.is_refused());
        assert_eq!(memory.peak_bytes(), (3 * PAGE + 8_000) as u64);
    }

    #[test]
    fn growth_that_fails_after_all_is_given_back() {
        let mut memory = Memory::new(4 * PAGE as u64);
        assert!(memory.memory_growing(0, 4 * PAGE, None).unwrap());
        memory.memory_grow_failed(wasmtime::format_err!("no pages left")).unwrap();
        assert!(memory.memory_growing(0, 4 * PAGE, None).unwrap());
    }

    #[test]
    fn a_guests_own_maximum_is_not_our_refusal() {
        let mut memory = Memory::new(1 << 30);
        assert!(!memory.memory_growing(PAGE, 3 * PAGE, Some(2 * PAGE)).unwrap());
        assert!(!memory.is_refused());
    }

    #[test]
    fn a_refusal_is_forgotten_once_growth_is_granted_again() {
        let mut memory = Memory::new(2 * PAGE as u64);
        assert!(!memory.memory_growing(0, 3 * PAGE, None).unwrap());
        assert!(memory.memory_growing(0, PAGE, None).unwrap());
        assert!(!memory.is_refused());
    }

    proptest! {
        #[test]
        fn no_sequence_of_growths_exceeds_the_limit(
            limit in 0..64_u64 * PAGE as u64,
            steps in prop::collection::vec((any::<bool>(), 0..usize::MAX, any::<bool>()), 0..64),
        ) {
            let mut memory = Memory::new(limit);
            let mut held = 0_usize;
            for (is_table, size, fails) in steps {
                let size = if is_table { size % 100_000 } else { size % (8 * PAGE) };
                let granted = if is_table { memory.table_growing(0, size, None) } else { memory.memory_growing(0, size, None) };
                if granted.unwrap() && fails {
                    memory.memory_grow_failed(wasmtime::format_err!("failed")).unwrap();
                } else if granted_bytes(&memory) > 0 {
                    held += granted_bytes(&memory);
                    memory.granted = 0;
                }
                prop_assert!(held as u64 <= limit);
                prop_assert_eq!(memory.used, held);
                prop_assert!(memory.peak_bytes() <= limit);
            }
        }
    }

    fn granted_bytes(memory: &Memory) -> usize {
        memory.granted
    }
}
