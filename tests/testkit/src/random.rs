//! Random cases that can be run again: the same ones each time, others when asked for, and those
//! that failed once for ever.
#![allow(
    clippy::print_stdout,
    reason = "a test shows the seed of its cases where it fails"
)]

use std::env;
use std::hash::{BuildHasher, RandomState};

use proptest::test_runner::{Config, FileFailurePersistence, RngAlgorithm, TestRng, TestRunner};

/// The variable that chooses other cases than those of every run: a number, or `random`.
pub const SEED: &str = "NEZHA_SEED";

/// A runner of `cases` random cases.
///
/// They follow from a fixed seed, or from that in the environment variable [`SEED`]; the seed is
/// printed. A case that fails is added to `regressions`, a file below the package's folder, and
/// comes first from then on: commit the file with the repair.
///
/// # Panics
/// The variable holds something else.
pub fn runner(cases: u32, regressions: &'static str) -> TestRunner {
    let seed = match env::var(SEED).as_deref() {
        Err(_) => 0,
        Ok("random") => RandomState::new().hash_one(cases),
        Ok(number) => number
            .parse()
            .unwrap_or_else(|_| panic!("{SEED} is '{number}', expected a number or 'random'")),
    };
    println!("{cases} random cases of {SEED}={seed}; those that fail are kept in {regressions}");
    let config = Config {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(regressions))),
        ..Config::default()
    };
    TestRunner::new_with_rng(config, numbers(seed))
}

/// Numbers that follow from a seed alone.
pub fn numbers(seed: u64) -> TestRng {
    let bytes: Vec<u8> = (0..4).flat_map(|i| (seed ^ i).to_le_bytes()).collect();
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}
