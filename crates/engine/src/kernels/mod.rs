//! The inner loops, written once over [`vector::Vector`] and instantiated for each instruction
//! set. The only `unsafe` code of the project lives in this folder: every kernel has a safe entry
//! that checks all offsets against the slices first.

pub(crate) mod cells;
pub(crate) mod depthwise;
mod functions;
pub(crate) mod gemm;
pub(crate) mod lanes;
pub(crate) mod peak;
pub(crate) mod reservoir;
pub(crate) mod tail;
pub(crate) mod vector;
pub(crate) mod winograd;

use vector::Vector;

/// The instruction set that the kernels use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// One number at a time, in plain Rust: for comparison.
    Scalar,
    /// Four lanes: SSE2 on x86-64, NEON on AArch64, SIMD on WebAssembly, and in plain Rust elsewhere. The bits are
    /// the same on all machines but AArch64, where a multiply-add is rounded once.
    Portable,
    /// 256-bit vectors with fused multiply-add (x86-64).
    Avx2,
    /// 512-bit vectors (x86-64).
    Avx512,
    /// AVX-512's tile sizes in plain code.
    #[cfg(test)]
    Emulated512,
}

impl Isa {
    /// The best instruction set that this machine has.
    pub fn detect() -> Isa {
        if Isa::Avx512.is_available() {
            Isa::Avx512
        } else if Isa::Avx2.is_available() {
            Isa::Avx2
        } else {
            Isa::Portable
        }
    }

    /// Whether this machine can run it.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx512 | Isa::Avx2 => false,
            _ => true,
        }
    }

    /// The instruction sets that this machine can run, slowest first.
    pub fn available() -> Vec<Isa> {
        let mut all = vec![Isa::Scalar, Isa::Portable];
        #[cfg(test)]
        all.push(Isa::Emulated512);
        all.extend([Isa::Avx2, Isa::Avx512].into_iter().filter(|isa| isa.is_available()));
        all
    }

    /// Floats in one register.
    pub fn lanes(self) -> usize {
        match self {
            Isa::Scalar => vector::Scalar::LANES,
            Isa::Portable => vector::Portable::LANES,
            Isa::Avx2 => 8,
            Isa::Avx512 => 16,
            #[cfg(test)]
            Isa::Emulated512 => 16,
        }
    }
}

impl std::fmt::Display for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Isa::Scalar => "scalar",
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            #[cfg(test)]
            Isa::Emulated512 => "emulated512",
        })
    }
}

impl std::str::FromStr for Isa {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "auto" => Ok(Isa::detect()),
            "scalar" => Ok(Isa::Scalar),
            "portable" => Ok(Isa::Portable),
            "avx2" => Ok(Isa::Avx2),
            "avx512" => Ok(Isa::Avx512),
            _ => Err(format!(
                "unknown instruction set '{s}': expected auto, scalar, portable, avx2 or avx512"
            )),
        }
    }
}

/// A loop that can run on any vector. Its `run` must be `#[inline(always)]`.
pub(crate) trait Kernel {
    /// # Safety
    /// The machine must have the instructions of `V`, and the fields must satisfy what the kernel
    /// documents about its pointers.
    unsafe fn run<V: Vector>(self);
}

/// Runs `kernel` with the instructions of `isa`.
///
/// # Safety
/// The kernel's own conditions on its pointers.
///
/// # Panics
/// If the machine lacks the instruction set: an `Isa` is checked once, when a network is compiled.
#[inline]
pub(crate) unsafe fn dispatch<K: Kernel>(isa: Isa, kernel: K) {
    match isa {
        // SAFETY: the caller vouches for the pointers; a portable vector runs on all its machines.
        Isa::Scalar => unsafe { kernel.run::<vector::Scalar>() },
        // SAFETY: as above.
        Isa::Portable => unsafe { kernel.run::<vector::Portable>() },
        #[cfg(test)]
        // SAFETY: as above.
        Isa::Emulated512 => unsafe { kernel.run::<vector::Emulated512>() },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => {
            debug_assert!(isa.is_available());
            // SAFETY: Options::validate refused this Isa where the machine lacks it.
            unsafe { run_avx2(kernel) }
        }
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => {
            debug_assert!(isa.is_available());
            // SAFETY: as for AVX2.
            unsafe { run_avx512(kernel) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Isa::Avx2 | Isa::Avx512 => unreachable!("refused when the network was compiled"),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn run_avx2<K: Kernel>(kernel: K) {
    // SAFETY: the instruction set is enabled for this function.
    unsafe { kernel.run::<vector::Avx2>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn run_avx512<K: Kernel>(kernel: K) {
    // SAFETY: the instruction set is enabled for this function.
    unsafe { kernel.run::<vector::Avx512>() }
}
