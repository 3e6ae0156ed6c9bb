//! An allocator for a guest that lives for one event: it only moves forward, from the linker's `__heap_base`.
//!
//! It does not free, except the block that was handed out last, which then may also grow in place. Not for WASI targets:
//! there the C library's `malloc` owns the same memory.
#![expect(unsafe_code, reason = "an allocator is unsafe by contract")]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[cfg(target_feature = "atomics")]
compile_error!("the feature `bump-allocator` is for guests of one thread: turn it off");

const PAGE_BYTES: usize = 65_536;

/// How much memory grows at once, where it may: each growth costs the host two system calls.
const GROWTH_PAGES: usize = 16;

#[global_allocator]
static ALLOCATOR: Bump = Bump { next: AtomicUsize::new(0) };

unsafe extern "C" {
    /// The linker's symbol: its address is the first byte behind the constants.
    static __heap_base: u8;
}

/// An atomic, because a static must be `Sync`; on one thread it costs what a plain number costs.
struct Bump {
    /// The first free address; 0 before the first allocation.
    next: AtomicUsize,
}

impl Bump {
    fn next(&self) -> usize {
        match self.next.load(Relaxed) {
            0 => (&raw const __heap_base).addr(),
            next => next,
        }
    }

    /// Makes everything below `end` ours; false where memory cannot grow that far.
    fn claim(&self, end: usize) -> bool {
        let pages = end.div_ceil(PAGE_BYTES);
        let missing = pages.saturating_sub(memory_size(0));
        if missing > 0 && !grow(missing.max(GROWTH_PAGES)) && !grow(missing) {
            return false;
        }
        self.next.store(end, Relaxed);
        true
    }
}

fn grow(pages: usize) -> bool {
    memory_grow(0, pages) != usize::MAX
}

// SAFETY: blocks are aligned as asked and never overlap, because `next` only moves forward past them, and moves back only over the block that
// was handed out last. Nothing here panics or unwinds: all arithmetic is checked.
unsafe impl GlobalAlloc for Bump {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.next().checked_next_multiple_of(layout.align());
        let block = start.and_then(|start| Some((start, start.checked_add(layout.size())?)));
        match block {
            Some((start, end)) if self.claim(end) => ptr::with_exposed_provenance_mut(start),
            Some(_) | None => ptr::null_mut(),
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block.addr().wrapping_add(layout.size()) == self.next() {
            self.next.store(block.addr(), Relaxed);
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if block.addr().wrapping_add(layout.size()) == self.next() {
            let claimed = block.addr().checked_add(new_size).is_some_and(|end| self.claim(end));
            return if claimed { block } else { ptr::null_mut() };
        }
        // A block in the middle cannot grow, but it need not move to become smaller.
        if new_size <= layout.size() {
            return block;
        }
        // SAFETY: the caller promises that `block` holds `layout.size()` bytes and that the new size makes a valid layout.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size());
            }
            moved
        }
    }
}
