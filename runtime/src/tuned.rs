//! The results of `nezha tune`: `nezha.json` beside a model.
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

/// The version of the file's fields; it is raised when a field changes its meaning.
pub const FORMAT_VERSION: u32 = 1;

/// The fastest ways to compute the models of a folder, and where and how they were measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuned {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The program that measured, such as `nezha-onnx 0.1.0`.
    pub tuned_by: String,
    /// When the measurement began, in RFC 3339, UTC.
    pub started: String,
    /// The machine that it ran on.
    pub machine: Machine,
    /// How many texts were answered.
    pub texts: usize,
    /// The share of answers that were allowed to change; with labels, the loss of the score that
    /// was allowed.
    pub max_change: f64,
    /// The way that answers a single text soonest.
    pub latency: Measured,
    /// The way that answers the most texts per second.
    pub throughput: Measured,
    /// Everything that was measured, including these two.
    pub measured: Vec<Measured>,
    /// The models and ways without results, and why.
    pub left_out: Vec<LeftOut>,
}

/// The properties of a machine that decide what is fastest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The operating system, such as `linux`.
    pub system: String,
    /// The architecture, such as `x86_64`.
    pub architecture: String,
    /// The processor's name; `None` if `/proc/cpuinfo` doesn't tell it, or the system isn't Linux.
    pub processor: Option<String>,
    /// Threads that run at the same time; `None` if the system doesn't say.
    pub threads: Option<NonZeroUsize>,
    /// Instruction sets that the engines have kernels for.
    pub features: Vec<String>,
}

/// A model, a way to compute it, and how fast that is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The model's file, relative to the folder.
    pub model: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The engine, and the precision that it computes in.
    pub way: Way,
    /// Threads of a run; `None` for the engine's default.
    pub threads: Option<NonZeroUsize>,
    /// The engine's description, with its version.
    pub description: String,
    /// The share of answers that differ from those in single precision; with labels, by how much
    /// the score is lower.
    pub change: f64,
    /// With labels: the accuracy of a classifier, or the F1 of the entities that are found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The median time of one text, in milliseconds.
    pub latency_ms: f64,
    /// Texts per second, in batches.
    pub texts_per_second: f64,
}

/// A model and a way that were left out of the results: not measured to the end, with answers that
/// changed too much, or slower than the others in a first short run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The model's file, relative to the folder.
    pub model: String,
    /// The engine, and the precision that it computes in.
    pub way: Way,
    /// Why it was left out.
    pub reason: String,
}

/// Why the results can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TunedError {
    /// The file can't be read.
    #[error("{}: can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's message.
        source: io::Error,
    },
    /// The file isn't one that `nezha tune` wrote.
    #[error(
        "{}: not what `nezha tune` writes: remove it, or measure again",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where in the file, and why.
        source: serde_json::Error,
    },
    /// Another version of this program wrote the file.
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
    /// Describes this machine.
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

/// The processor's name, from Linux's `/proc/cpuinfo`.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|it| it.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

impl Tuned {
    /// Reads the results for the models of a folder; `None` if there are none.
    ///
    /// # Errors
    /// Any [`TunedError`].
    pub fn read(folder: &Path) -> Result<Option<Self>, TunedError> {
        /// The field that every version of the file has.
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
    /// The options that it was measured with: those of `options` that the engine takes, its
    /// threads, and its precision and group size. For throughput, all threads are used, divided
    /// among several runs.
    pub fn options(&self, options: &EngineOptions) -> EngineOptions {
        let threads = self.threads.filter(|_| !options.throughput);
        self.way.options(options).threads(threads)
    }
}
