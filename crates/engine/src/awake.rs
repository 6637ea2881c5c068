//! Threads that stay awake between the layers that they share.
//!
//! A layer of a small network takes less time than it takes to wake a thread that has gone to sleep. While
//! one image is computed by several threads, those that have nothing to do look for work without a pause.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Having looked in vain for so long, a thread goes to sleep after all, as idle threads of the pool do: it may have
/// been put on the processor of the very thread that it waits for.
const PATIENCE: Duration = Duration::from_micros(150);

/// Looks between two glances at the clock.
const LOOKS: usize = 64;

/// Runs `f` on the pool, its other threads awake as long as work for them keeps coming.
pub(crate) fn awake<T: Send>(pool: &rayon::ThreadPool, f: impl FnOnce() -> T + Send) -> T {
    let done = &AtomicBool::new(false);
    pool.install(|| {
        rayon::scope(|scope| {
            let caller = rayon::current_thread_index();
            scope.spawn_broadcast(move |_, context| {
                // The caller finds its own copy while it waits for the others, and must not wait for itself.
                if Some(context.index()) != caller {
                    look_for_work(done);
                }
            });
            let _set_even_in_a_panic = Finished(done);
            f()
        })
    })
}

fn look_for_work(done: &AtomicBool) {
    let mut begin = Instant::now();
    let mut looks = 0;
    while !done.load(Ordering::Acquire) {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            (looks, begin) = (0, Instant::now());
            continue;
        }
        std::hint::spin_loop();
        looks += 1;
        if looks % LOOKS == 0 && begin.elapsed() > PATIENCE {
            return;
        }
    }
}

struct Finished<'a>(&'a AtomicBool);

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn shared_work_is_done_and_returned_on_any_number_of_threads() {
        for threads in [1, 2, 5] {
            let sum =
                || (0..100_u64).map(|_| (0..64_u64).into_par_iter().sum::<u64>()).sum::<u64>();
            assert_eq!(awake(&pool(threads), sum), 100 * 64 * 63 / 2, "{threads} threads");
        }
    }

    #[test]
    fn several_callers_may_share_a_pool() {
        let pool = pool(2);
        let sum = || (0..1000_u64).into_par_iter().map(|x| x * x).sum::<u64>();
        let expected = (0..1000_u64).map(|x| x * x).sum::<u64>();
        std::thread::scope(|scope| {
            let callers =
                [(); 4].map(|()| scope.spawn(|| (0..50).all(|_| awake(&pool, sum) == expected)));
            assert!(callers.into_iter().all(|caller| caller.join().unwrap()));
        });
    }

    #[test]
    fn a_panic_ends_it() {
        let pool = pool(3);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            awake(&pool, || panic!("as asked"));
        }));
        assert!(caught.is_err());
        assert_eq!(awake(&pool, || 7), 7);
    }
}
