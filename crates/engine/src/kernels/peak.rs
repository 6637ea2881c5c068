//! How many multiply-adds a second the machine can do when nothing else is in the way.

use super::{Isa, Kernel, dispatch, vector::Vector};

/// Independent sums: more than the latency times the throughput of any machine's multiply-add.
const SUMS: usize = 12;

/// Runs `rounds` times [`SUMS`] vector multiply-adds on registers and returns how many single
/// operations that were: two a lane.
pub(crate) fn spin(isa: Isa, rounds: usize) -> u64 {
    let mut result = [0.0; 16];
    // SAFETY: the kernel writes one vector into 16 floats, the widest there is.
    unsafe { dispatch(isa, Spin { rounds, result: &mut result }) };
    std::hint::black_box(result);
    (rounds * SUMS * isa.lanes() * 2) as u64
}

struct Spin<'a> {
    rounds: usize,
    result: &'a mut [f32; 16],
}

impl Kernel for Spin<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: arithmetic inside `dispatch`; `result` holds the widest vector.
        unsafe {
            let (factor, term) = (V::splat(0.999_999), V::splat(1e-7));
            let mut sums: [V; SUMS] = std::array::from_fn(|i| V::splat(i as f32));
            for _ in 0..self.rounds {
                for sum in &mut sums {
                    *sum = sum.mul_add(factor, term);
                }
            }
            let mut total = sums[0];
            for sum in &sums[1..] {
                total = total.add(*sum);
            }
            total.store(self.result.as_mut_ptr());
        }
    }
}
