//! What the process that measures and the processes that compute say to each other: JSON, a line
//! each, over the worker's standard input and output.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nezha_verify::texts::Batch;
use serde::{Deserialize, Serialize};

/// What a worker is asked to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// Take these batches from now on, and run them until the time they take is stable.
    Prepare {
        batches: Vec<Batch>,
        /// When to stop at the latest.
        seconds: f64,
        /// Where to write the outputs of the first batch.
        outputs: PathBuf,
    },
    /// Run all batches in turn, again and again.
    Measure {
        /// Runs that are enough, once every batch had its turn.
        runs: usize,
        /// When to stop at the latest, once every batch had its turn.
        seconds: f64,
    },
    /// Say how much memory there was at most since the batches were taken.
    Memory,
    /// Measure how fast the engine multiplies matrices.
    MatMul,
    /// Run the first batch once more and say what computed the graph's nodes.
    Nodes,
}

/// What a worker answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    /// The model is loaded.
    Loaded { description: String, load_ms: f64 },
    /// The batches are run in.
    Prepared {
        /// The very first run.
        first_ms: f64,
        runs: usize,
        stable: bool,
    },
    /// How long each run took, in milliseconds.
    Measured(Vec<f64>),
    /// The peak resident memory in bytes; none where the system doesn't say.
    Memory(Option<u64>),
    /// The engine's best rate on float32 matrices, in floating point operations a second.
    MatMul(f64),
    /// How many nodes each execution provider computed; empty for an engine without any.
    Nodes(BTreeMap<String, usize>),
    /// It can't be done.
    Failed(String),
}
