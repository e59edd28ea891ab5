//! What `nezha tune` measured: `nezha.json` beside a model.
//!
//! ```no_run
//! use nezha_runtime::tuned::Tuned;
//!
//! if let Some(tuned) = Tuned::read("out".as_ref())? {
//!     let fastest = &tuned.throughput;
//!     println!("{} in {}: {} texts a second", fastest.model, fastest.way, fastest.texts_per_second);
//! }
//! # Ok::<(), nezha_runtime::tuned::TunedError>(())
//! ```

use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cpu::Cpu;
use crate::{EngineOptions, Way};

/// The file's name.
pub const FILE: &str = "nezha.json";

/// Version of the file's fields; it grows when one changes its meaning.
pub const FORMAT_VERSION: u32 = 1;

/// The way to compute that is fastest for a model, where and how it was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuned {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Who measured, such as `nezha-onnx 0.1.0`.
    pub tuned_by: String,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// Where.
    pub machine: Machine,
    /// How many texts were asked.
    pub texts: usize,
    /// The share of answers that were allowed to change; where labels were given, how much of the score
    /// was allowed to be lost.
    pub max_change: f64,
    /// What answers one text soonest.
    pub latency: Measured,
    /// What answers the most texts in a second.
    pub throughput: Measured,
    /// Everything that was measured, these two among it.
    pub measured: Vec<Measured>,
    /// What was left out, and why.
    pub left_out: Vec<LeftOut>,
}

/// A machine, as far as it decides what is fastest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The operating system, such as `linux`.
    pub system: String,
    /// The architecture, such as `x86_64`.
    pub architecture: String,
    /// The processor's name, where Linux says it.
    pub processor: Option<String>,
    /// Threads that run at the same time.
    pub threads: Option<NonZeroUsize>,
    /// Instruction sets that the engines have kernels for.
    pub features: Vec<String>,
}

/// A model, a way to compute it, and how fast that is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The model's file, by its path from the folder.
    pub model: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The engine, and what it computes in.
    pub way: Way,
    /// Threads of a run.
    pub threads: Option<NonZeroUsize>,
    /// The engine in its own words, with its version.
    pub description: String,
    /// The share of answers that are others than in single precision; where labels were given, how much
    /// smaller the score is.
    pub change: f64,
    /// Where labels were given: the accuracy of a classifier, or F1 of the names that are found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The median time of one text, in milliseconds.
    pub latency_ms: f64,
    /// Texts in a second, in batches.
    pub texts_per_second: f64,
}

/// A model and a way that were not measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The model's file, by its path from the folder.
    pub model: String,
    /// The engine, and what it computes in.
    pub way: Way,
    /// Why.
    pub reason: String,
}

/// Why what was measured can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TunedError {
    /// The file system refuses.
    #[error("{}: can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not what `nezha tune` writes.
    #[error(
        "{}: not what `nezha tune` writes: remove it, or measure again",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where, and why.
        source: serde_json::Error,
    },
    /// It was written by another version of this program.
    #[error(
        "{}: format version {found}, expected {FORMAT_VERSION}: remove it, or measure again",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version that was found.
        found: u64,
    },
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let cpu = Cpu::examine();
        let features = cpu.features.iter().filter(|it| it.present);
        Self {
            system: std::env::consts::OS.to_owned(),
            architecture: cpu.architecture.to_owned(),
            processor: processor(),
            threads: cpu.threads,
            features: features.map(|it| it.name.to_owned()).collect(),
        }
    }
}

/// The processor's name by Linux's `/proc/cpuinfo`.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|it| it.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

impl Tuned {
    /// Reads what was measured for the models of a folder; `None` where nothing was.
    ///
    /// # Errors
    /// Any [`TunedError`].
    pub fn read(folder: &Path) -> Result<Option<Self>, TunedError> {
        /// What every version of the file has.
        #[derive(Deserialize)]
        struct Versioned {
            format_version: u64,
        }
        let path = folder.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TunedError::Read { path, source }),
        };
        let malformed = |source| TunedError::Malformed {
            path: path.clone(),
            source,
        };
        let Versioned { format_version } = serde_json::from_str(&text).map_err(malformed)?;
        if format_version != u64::from(FORMAT_VERSION) {
            return Err(TunedError::Version {
                found: format_version,
                path,
            });
        }
        serde_json::from_str(&text).map(Some).map_err(malformed)
    }
}

impl Measured {
    /// The options that it was measured with: those of `options` that the engine takes, its threads and
    /// what it computes in. For throughput all threads: they are divided among runs.
    pub fn options(&self, options: &EngineOptions) -> EngineOptions {
        let threads = self.threads.filter(|_| !options.throughput);
        self.way.options(options).threads(threads)
    }
}
