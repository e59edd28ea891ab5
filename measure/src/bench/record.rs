//! The results of a benchmark, as `--json` writes them.
//!
//! This file is the schema: if a field changes its meaning or is removed, [`SCHEMA`] changes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Agreement, ReadError};
use crate::Machine;
use crate::statistics::{Ratio, Summary};

/// The document's kind and version.
pub const SCHEMA: &str = "nezha-bench/1";

/// The results of one `nezha bench`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: String,
    /// This program's version.
    pub nezha: String,
    /// When it began, in RFC 3339, UTC.
    pub started: String,
    /// Whether nothing is missing: it was not stopped, and nothing failed.
    pub complete: bool,
    /// The machine that it ran on.
    pub machine: Machine,
    /// The number and the time of the runs.
    pub method: Method,
    /// Models in engines, one process each.
    pub contenders: Vec<Contender>,
    /// The numbers of each contender for each shape.
    pub cells: Vec<Cell>,
}

impl Document {
    /// Reads results that [serde](serde_json) wrote.
    ///
    /// # Errors
    /// [`ReadError`] if the file can't be read or isn't a benchmark.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let path = path.as_ref();
        let at = || path.to_owned();
        let text = std::fs::read(path).map_err(|source| ReadError::Read { path: at(), source })?;
        let value: serde_json::Value = serde_json::from_slice(&text)
            .map_err(|source| ReadError::Json { path: at(), source })?;
        if value["schema"] != SCHEMA {
            return Err(ReadError::Schema {
                path: at(),
                found: value["schema"].to_string(),
            });
        }
        serde_json::from_value(value).map_err(|source| ReadError::Format { path: at(), source })
    }
}

/// How it was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Method {
    /// Turns of each contender with each shape.
    pub rounds: usize,
    /// Runs of a shape after which it is done.
    pub runs: usize,
    /// Seconds after which a shape is done, even with fewer runs.
    pub seconds: f64,
    /// The processors that the workers were bound to; empty for all.
    pub cpus: Vec<usize>,
    /// The file of real texts; `None` for random token ids.
    pub text: Option<String>,
}

/// A model in an engine, with a process of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Contender {
    /// The model, the engine and the threads.
    #[serde(flatten)]
    pub key: ContenderKey,
    /// The size of the model file in bytes, without external weights.
    pub model_bytes: u64,
    /// Floating point operations of the weight matrices per token.
    pub flop_per_token: f64,
    /// The engine's description, with its version.
    pub description: Option<String>,
    /// The time to load the model, in milliseconds.
    pub load_ms: Option<f64>,
    /// The time to load the model and to run the first shape once, in milliseconds.
    pub first_answer_ms: Option<f64>,
    /// The engine's best rate on 1024 × 1024 f32 matrices, in operations per second.
    pub matmul_flops: Option<f64>,
    /// Nodes of the optimized graph that each execution provider ran; empty for an engine without
    /// providers.
    pub nodes: BTreeMap<String, usize>,
    /// Why it couldn't be started, or what ended it.
    pub error: Option<String>,
}

/// What identifies a contender.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContenderKey {
    /// The model file, as it was named.
    pub model: String,
    /// The engine's name on the command line, such as `ort:cpu` or `openvino:cpu@bf16`.
    pub engine: String,
    /// Threads of a run; `None` for the engine's default.
    pub threads: Option<usize>,
}

impl fmt::Display for ContenderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.model, self.engine)?;
        match self.threads {
            Some(1) => f.write_str(", 1 thread"),
            Some(threads) => write!(f, ", {threads} threads"),
            None => Ok(()),
        }
    }
}

/// The result of a contender for one shape.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cell {
    /// The model, the engine and the threads.
    #[serde(flatten)]
    pub contender: ContenderKey,
    /// The size of the batch.
    #[serde(flatten)]
    pub shape: Shape,
    /// The numbers; `None` if there is an error.
    pub measured: Option<Measured>,
    /// Why there are no numbers.
    pub error: Option<String>,
}

/// The size of a batch.
#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Shape {
    /// Texts in a batch.
    pub batch: usize,
    /// Tokens of the longest text.
    pub sequence: usize,
    /// The mean number of tokens in a batch, without padding.
    pub tokens: f64,
    /// Whether these are real texts with their own lengths.
    pub is_text: bool,
}

impl Shape {
    /// `8×128` or `8×text`.
    pub fn label(&self) -> String {
        match self.is_text {
            true => format!("{}×text", self.batch),
            false => format!("{}×{}", self.batch, self.sequence),
        }
    }
}

/// The numbers of a cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Measured {
    /// The milliseconds of every run, in one list for each round.
    pub samples_ms: Vec<Vec<f64>>,
    /// Runs of the warm-up, which don't count.
    pub warm_up_runs: usize,
    /// Whether the time was stable when the warm-up ended.
    pub stable: bool,
    /// The summary of the samples.
    pub summary: Summary,
    /// Texts per second, on average.
    pub sequences_per_second: f64,
    /// Tokens per second, on average.
    pub tokens_per_second: f64,
    /// The peak resident memory of the process with this shape, including weights, in bytes.
    pub peak_resident_bytes: Option<u64>,
    /// The time, divided by that of the first contender with the same threads.
    pub ratio: Option<Ratio>,
    /// The outputs, compared with those of the first contender with the same threads.
    pub agreement: Option<Agreement>,
}
