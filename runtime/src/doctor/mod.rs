//! Which engines run here, what is missing, and what to do about it.
//!
//! ```no_run
//! use nezha_runtime::{EngineOptions, doctor};
//!
//! let report = doctor::examine(&EngineOptions::default());
//! for engine in &report.engines {
//!     println!("{}: {}", engine.engine, engine.runs());
//! }
//! for problem in &report.problems {
//!     println!("{}: {}; {}", problem.subject, problem.problem, problem.remedy);
//! }
//! ```

#[cfg(feature = "ort")]
mod libraries;
mod onnx_runtime;
mod openvino;
mod probe;
mod problems;

use serde::Serialize;

pub use self::onnx_runtime::OnnxRuntime;
pub use self::openvino::{OpenVino, OpenVinoDevice};
pub use crate::cpu::{Cpu, CpuFeature};
#[cfg(feature = "ort")]
use crate::engine::Place;
use crate::{EngineKind, EngineOptions};

/// What this machine has.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of this crate.
    pub version: &'static str,
    /// Every engine, and whether it runs.
    pub engines: Vec<EngineReport>,
    /// The ONNX Runtime that is loaded; empty if the build has none.
    pub onnx_runtime: OnnxRuntime,
    /// The OpenVINO that is loaded; empty if the build has none.
    pub openvino: OpenVino,
    /// tract's version; `None` if the build has no tract.
    pub tract: Option<&'static str>,
    /// The processor.
    pub cpu: Cpu,
    /// What is missing or will cause trouble, the most serious first.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Whether any engine runs.
    pub fn any_engine_runs(&self) -> bool {
        self.engines.iter().any(EngineReport::runs)
    }
}

/// An engine, after it was started and asked to multiply two matrices.
#[derive(Clone, Debug, Serialize)]
pub struct EngineReport {
    /// The engine.
    pub engine: EngineKind,
    /// What computes; `None` if the engine doesn't run.
    pub description: Option<String>,
    /// Why the engine doesn't run; `None` if it does.
    pub error: Option<String>,
    /// Libraries that its execution provider needs and the loader doesn't find.
    pub missing_libraries: Vec<MissingLibrary>,
}

impl EngineReport {
    /// Whether it runs.
    pub fn runs(&self) -> bool {
        self.description.is_some()
    }
}

/// A library that an execution provider needs and the loader doesn't find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingLibrary {
    /// Its file name, such as `libcublas.so.13`.
    pub name: String,
    /// How to get it.
    pub remedy: String,
}

/// Something that is missing or will cause trouble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What it is about: an engine, a library, the processor.
    pub subject: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

/// Looks for the libraries and starts every engine.
///
/// Each engine is started with those of the options that it takes. The libraries are loaded, and
/// stay loaded.
pub fn examine(options: &EngineOptions) -> Report {
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        engines: EngineKind::ALL.map(|it| engine(it, options)).into(),
        #[cfg(feature = "ort")]
        onnx_runtime: OnnxRuntime::examine(options),
        #[cfg(not(feature = "ort"))]
        onnx_runtime: OnnxRuntime::default(),
        #[cfg(feature = "openvino")]
        openvino: OpenVino::examine(options),
        #[cfg(not(feature = "openvino"))]
        openvino: OpenVino::default(),
        #[cfg(feature = "tract")]
        tract: Some(crate::engine::TRACT_VERSION),
        #[cfg(not(feature = "tract"))]
        tract: None,
        cpu: Cpu::examine(),
        problems: Vec::new(),
    };
    #[cfg(feature = "ort")]
    if let Some(library) = &report.onnx_runtime.path {
        for engine in report.engines.iter_mut().filter(|it| !it.runs()) {
            if let Place::Ort(device) = engine.engine.spec().place {
                engine.missing_libraries = libraries::missing(device, library);
            }
        }
    }
    report.problems = problems::problems(&report);
    report
}

fn engine(engine: EngineKind, options: &EngineOptions) -> EngineReport {
    let probed = probe::probe(engine, options);
    EngineReport {
        engine,
        error: probed.as_ref().err().cloned(),
        description: probed.ok(),
        missing_libraries: Vec::new(),
    }
}
