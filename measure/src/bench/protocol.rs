//! The protocol between the benchmark and its workers: JSON, one message per line, over the
//! worker's standard input and output.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nezha_verify::texts::Batch;
use serde::{Deserialize, Serialize};

/// A request to a worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// Use these batches from now on, and run them until their time is stable.
    Prepare {
        batches: Vec<Batch>,
        /// The latest time to stop, in seconds.
        seconds: f64,
        /// Where to write the outputs of the first batch.
        outputs: PathBuf,
    },
    /// Run all batches in turn, repeatedly.
    Measure {
        /// The number of runs to stop after, once every batch has had its turn.
        runs: usize,
        /// The latest time to stop, once every batch has had its turn.
        seconds: f64,
    },
    /// Return the peak memory since the batches were set.
    Memory,
    /// Measure how fast the engine multiplies matrices.
    MatMul,
    /// Run the first batch once more, and return what computed the graph's nodes.
    Nodes,
}

/// A worker's reply.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    /// The model is loaded.
    Loaded { description: String, load_ms: f64 },
    /// The batches have been warmed up.
    Prepared {
        /// The time of the first run.
        first_ms: f64,
        runs: usize,
        stable: bool,
    },
    /// The time of each run, in milliseconds.
    Measured(Vec<f64>),
    /// The peak resident memory in bytes; `None` if the system doesn't say.
    Memory(Option<u64>),
    /// The engine's best rate on f32 matrices, in floating point operations per second.
    MatMul(f64),
    /// How many nodes each execution provider computed; empty for an engine without providers.
    Nodes(BTreeMap<String, usize>),
    /// The request can't be done.
    Failed(String),
}
