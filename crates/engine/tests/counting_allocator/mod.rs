//! The system's allocator with counters.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts allocations of all threads, the bytes now held and the most ever held.
pub(crate) struct Counting {
    allocations: AtomicUsize,
    held: AtomicUsize,
    peak: AtomicUsize,
}

#[allow(dead_code)] // each test asks for its own counters
impl Counting {
    pub(crate) const fn new() -> Self {
        Self {
            allocations: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }
    }

    /// Allocations up to now, counting those that only grow.
    pub(crate) fn allocations(&self) -> usize {
        self.allocations.load(Relaxed)
    }

    /// Most bytes held at a time while `f` runs, beyond those held before. What other threads take counts as
    /// well, and what they give back may outweigh it all.
    pub(crate) fn peak_during<T>(&self, f: impl FnOnce() -> T) -> (usize, T) {
        let before = self.held.load(Relaxed);
        self.peak.store(before, Relaxed);
        let result = f();
        (self.peak.load(Relaxed).saturating_sub(before), result)
    }

    fn took(&self, bytes: usize) {
        self.allocations.fetch_add(1, Relaxed);
        let held = self.held.fetch_add(bytes, Relaxed) + bytes;
        self.peak.fetch_max(held, Relaxed);
    }
}

// SAFETY: every call is handed on to the system's allocator unchanged; the counters allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.took(layout.size());
        // SAFETY: the caller keeps this function's contract, which is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        self.held.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }
}
