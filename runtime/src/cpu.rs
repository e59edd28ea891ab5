//! The processor, as far as it matters to the engines.

use std::env::consts;
use std::num::NonZeroUsize;
use std::thread;

use serde::Serialize;

/// The processor, as far as it matters to the engines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cpu {
    /// The architecture, such as `x86_64`.
    pub architecture: &'static str,
    /// Threads that run at the same time; `None` if the system doesn't say.
    pub threads: Option<NonZeroUsize>,
    /// Instruction sets that the engines have kernels for.
    pub features: Vec<CpuFeature>,
}

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CpuFeature {
    /// Its name, such as `AVX2`.
    pub name: &'static str,
    /// Whether the processor has it.
    pub present: bool,
    /// What it is good for.
    pub purpose: &'static str,
}

impl Cpu {
    /// Reads the processor's features.
    pub fn examine() -> Self {
        Self {
            architecture: consts::ARCH,
            threads: thread::available_parallelism().ok(),
            features: features(),
        }
    }

    /// Whether the processor has an instruction set; `false` for one that isn't in the list.
    pub fn has(&self, name: &str) -> bool {
        self.features.iter().any(|it| it.name == name && it.present)
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const FLOAT32: &str = "float32 matrix products";
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const INT8: &str = "int8 matrix products";
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const BFLOAT16: &str = "bfloat16 matrix products";

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<CpuFeature> {
    use std::arch::is_x86_feature_detected as detected;

    // Structured extended features: EDX of leaf 7 has AMX, which the standard library lacks.
    let [_, _, _, edx] = crate::native::cpuid(7);
    let amx = |bit: u32| edx & (1 << 24) != 0 && edx & (1 << bit) != 0;
    let avx512 = detected!("avx512f") && detected!("avx512bw") && detected!("avx512vl");
    vec![
        feature("AVX2", detected!("avx2"), FLOAT32),
        feature("FMA", detected!("fma"), FLOAT32),
        feature("AVX-512", avx512, FLOAT32),
        feature("AVX-VNNI", detected!("avxvnni"), INT8),
        feature("AVX-512 VNNI", detected!("avx512vnni"), INT8),
        feature("AVX-512 BF16", detected!("avx512bf16"), BFLOAT16),
        feature("AMX INT8", amx(25), INT8),
        feature("AMX BF16", amx(22), BFLOAT16),
    ]
}

#[cfg(target_arch = "aarch64")]
fn features() -> Vec<CpuFeature> {
    use std::arch::is_aarch64_feature_detected as detected;

    vec![
        feature("NEON", detected!("neon"), FLOAT32),
        feature("SVE", detected!("sve"), FLOAT32),
        feature("DotProd", detected!("dotprod"), INT8),
        feature("I8MM", detected!("i8mm"), INT8),
        feature("BF16", detected!("bf16"), BFLOAT16),
    ]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> Vec<CpuFeature> {
    Vec::new()
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn feature(name: &'static str, present: bool, purpose: &'static str) -> CpuFeature {
    CpuFeature {
        name,
        present,
        purpose,
    }
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn the_features_are_those_that_the_kernel_lists() {
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let flags = text.lines().find_map(|line| line.strip_prefix("flags"));
        let flags: Vec<&str> = flags.unwrap().split_whitespace().collect();
        let cpu = Cpu::examine();
        for (name, flag) in [
            ("AVX2", "avx2"),
            ("FMA", "fma"),
            ("AVX-VNNI", "avx_vnni"),
            ("AVX-512 VNNI", "avx512_vnni"),
            ("AVX-512 BF16", "avx512_bf16"),
            ("AMX INT8", "amx_int8"),
            ("AMX BF16", "amx_bf16"),
        ] {
            assert_eq!(cpu.has(name), flags.contains(&flag), "{name}");
        }
    }
}
