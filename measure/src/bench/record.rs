//! What a benchmark found, as `--json` writes it.
//!
//! The schema is this file: a field that changes its meaning or goes changes [`SCHEMA`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Agreement, ReadError};
use crate::Machine;
use crate::statistics::{Ratio, Summary};

/// The document's kind and version.
pub const SCHEMA: &str = "nezha-bench/1";

/// One `nezha bench`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: String,
    /// This program's version.
    pub nezha: String,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// Whether nothing is missing: neither stopped nor failed anywhere.
    pub complete: bool,
    /// Where it ran.
    pub machine: Machine,
    /// How it ran.
    pub method: Method,
    /// Models in engines, one process each.
    pub contenders: Vec<Contender>,
    /// The numbers: each shape in each contender.
    pub cells: Vec<Cell>,
}

impl Document {
    /// Reads what [serde](serde_json) wrote of one.
    ///
    /// # Errors
    /// [`ReadError`].
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

/// How it ran.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Method {
    /// Turns that each contender took with each shape.
    pub rounds: usize,
    /// Runs of a shape, at least.
    pub runs: usize,
    /// Seconds for a shape, at most, where the runs take longer.
    pub seconds: f64,
    /// The processors that the workers were kept on; empty for all.
    pub cpus: Vec<usize>,
    /// The file of real texts; none for random token ids.
    pub text: Option<String>,
}

/// A model in an engine: one process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Contender {
    /// Which model, which engine.
    #[serde(flatten)]
    pub key: ContenderKey,
    /// Of the file, without external weights.
    pub model_bytes: u64,
    /// Floating point operations that the weight matrices take for each token.
    pub flop_per_token: f64,
    /// The engine in its own words, with its version.
    pub description: Option<String>,
    /// From nothing to a session.
    pub load_ms: Option<f64>,
    /// From nothing to the first answer, of the first shape.
    pub first_answer_ms: Option<f64>,
    /// The engine's best rate on 1024 × 1024 float32 matrices, in operations a second.
    pub matmul_flops: Option<f64>,
    /// Nodes of the optimised graph that each execution provider ran; empty where the engine has none.
    pub nodes: BTreeMap<String, usize>,
    /// Why it didn't start, or what ended it.
    pub error: Option<String>,
}

/// What is compared with what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContenderKey {
    /// The file, as it was named.
    pub model: String,
    /// Its name on the command line, such as `ort:cpu` or `openvino:cpu@bf16`.
    pub engine: String,
    /// None for the engine's default.
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

/// A shape in a contender.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cell {
    /// What was measured.
    #[serde(flatten)]
    pub contender: ContenderKey,
    /// On what.
    #[serde(flatten)]
    pub shape: Shape,
    /// None where there is an error.
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
    /// Tokens of a batch on average, padding not counted.
    pub tokens: f64,
    /// Whether these are real texts, of their own lengths.
    pub is_text: bool,
}

impl Shape {
    /// `8×128`, or `8×text`.
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
    /// Milliseconds of every run, a list for each round.
    pub samples_ms: Vec<Vec<f64>>,
    /// Runs that do not count.
    pub warm_up_runs: usize,
    /// Whether the time had settled when the warm-up ended.
    pub stable: bool,
    /// What the samples come to.
    pub summary: Summary,
    /// Texts in each second, on average.
    pub sequences_per_second: f64,
    /// Tokens in each second, on average.
    pub tokens_per_second: f64,
    /// Of the whole process, weights included, while this shape ran.
    pub peak_resident_bytes: Option<u64>,
    /// Time by that of the first contender with the same threads.
    pub ratio: Option<Ratio>,
    /// The answer by that of the first contender with the same threads.
    pub agreement: Option<Agreement>,
}
