//! The arguments of every subcommand that computes, and what is said of the engine that does.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use nezha_runtime::{EngineChoice, EngineOptions, Session};

/// Where and how a model is computed.
#[derive(clap::Args, Clone)]
pub struct EngineArgs {
    /// auto, ort (= ort:cpu), ort:cuda, ort:tensorrt, tract, or several tried in order: ort,tract.
    #[arg(long, default_value = "auto")]
    pub engine: EngineChoice,
    /// Threads of one run; one per physical core where absent.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// The ONNX Runtime library, or the folder that holds it.
    #[arg(long, value_name = "PATH")]
    ort_library: Option<PathBuf>,
}

impl EngineArgs {
    /// As the runtime takes them.
    pub fn options(&self) -> EngineOptions {
        EngineOptions {
            threads: self.threads,
            ort_library: self.ort_library.clone(),
            ..EngineOptions::default()
        }
    }
}

/// Says on standard error which engine runs, and why those before it don't.
pub fn announce(session: &Session) {
    for skipped in session.skipped() {
        eprintln!("{} does not run: {}", skipped.engine, skipped.error);
    }
    eprintln!("engine: {}", session.engine().description());
}
