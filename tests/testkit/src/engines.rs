//! The table of engines that the tests ask, and a fixture's graph in one of them: exported to a
//! scratch folder, loaded, fed by name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, Heads, export};
use nezha_graphs::{GraphOptions, Head, Precision, error_chain};
use nezha_runtime::{EngineChoice, EngineKind, Session, Tensors};
use tempfile::TempDir;

use crate::fixtures::{Case, Tensor};

/// An engine that the tests ask.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    /// Which one.
    pub kind: EngineKind,
    /// What it can't take.
    pub refusals: &'static [Refusal],
}

/// Something that an engine can't take. Conformance holds it to that: an engine that takes it now
/// fails its test until the row is gone.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// A part of the names of fixtures and cases, or a precision's name.
    pub of: &'static str,
    /// A part of the error.
    pub says: &'static str,
}

/// Every engine that the tests ask: a new one is a row here.
pub const ENGINES: [Engine; 3] = [
    Engine {
        kind: EngineKind::OrtCpu,
        refusals: &[],
    },
    Engine {
        kind: EngineKind::OpenVinoCpu,
        refusals: &[],
    },
    Engine {
        kind: EngineKind::Tract,
        refusals: &[
            Refusal {
                of: "q8",
                says: "MatMulNBits",
            },
            Refusal {
                of: "q4",
                says: "MatMulNBits",
            },
        ],
    },
];

impl Engine {
    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// How far its answers may be off in single precision, of the largest magnitude in a tensor, as the
    /// engine's own row has it.
    pub fn tolerance(&self) -> f64 {
        self.kind.spec().tolerances.fp32
    }

    /// Why it can't take what is called `name`, where it can't.
    pub fn refusal(&self, name: &str) -> Option<&'static Refusal> {
        self.refusals.iter().find(|it| name.contains(it.of))
    }

    /// How far its answers may be off from those of a checkpoint that the artifact holds in this
    /// precision, of the largest magnitude in a tensor.
    ///
    /// The fixtures are tiny models of random weights, which rounding hurts more than trained ones;
    /// what blocks of 8 and 4 bits cost these has no bound that says anything, so that they are
    /// compared with the weights they stand for (`tests/precision/blocks.rs`).
    pub fn tolerance_in(&self, precision: Precision) -> f64 {
        match precision {
            Precision::Fp32 => self.tolerance(),
            Precision::Fp16Storage | Precision::Fp16 => 0.02,
            Precision::Int8 | Precision::W8 => 0.3,
            Precision::Q8 | Precision::Q4 => panic!("no tolerance says anything of {precision}"),
        }
    }

    /// Starts it on a model.
    ///
    /// # Panics
    /// As [`session`].
    pub fn session(&self, path: &Path) -> Session {
        session(path, self.name())
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Exports one head in single precision; the artifact lives as long as the folder.
///
/// # Panics
/// As [`artifact_in`].
pub fn artifact(folder: &Path, head: Head, graph: &GraphOptions, opset: u32) -> (TempDir, PathBuf) {
    artifact_in(Precision::Fp32, folder, head, graph, opset)
}

/// Exports one head in some precision; the artifact lives as long as the folder.
///
/// # Panics
/// The checkpoint can't be opened or exported.
pub fn artifact_in(
    precision: Precision,
    folder: &Path,
    head: Head,
    graph: &GraphOptions,
    opset: u32,
) -> (TempDir, PathBuf) {
    let context = format!("{}, {head}, {precision}", folder.display());
    let checkpoint = Checkpoint::open(folder, &OpenOptions::default())
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    let options = ExportOptions::default()
        .heads(Heads::Named(vec![head]))
        .graph(graph.clone())
        .opset(opset)
        .precisions(vec![precision]);
    let target = TempDir::new().expect("a scratch folder");
    let exported = export(&checkpoint, target.path(), &options)
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    (target, exported.artifacts[0].file.path.clone())
}

/// The graph that takes what the case gives and gives what it took from transformers.
pub fn options(case: &Case) -> GraphOptions {
    let takes = |name: &str| case.inputs.contains_key(name);
    let gives = |name: &str| case.outputs.contains_key(name);
    GraphOptions::default()
        .inputs_embeds(takes("inputs_embeds"))
        .head_mask(takes("head_mask"))
        .hidden_states(gives("hidden_states.0"))
        .attentions(gives("attentions.0"))
        .loss(gives("loss"))
        .problem_type(case.problem_type)
}

/// Starts an engine, or the first of several that starts, on one thread: tests run on every core already.
/// Without the engine's library the test fails and says how to get it.
///
/// # Panics
/// The choice is none, or no engine of it starts.
pub fn session(path: &Path, choice: &str) -> Session {
    let engines: EngineChoice = choice
        .parse()
        .unwrap_or_else(|error| panic!("{choice}: {error}"));
    match Session::builder().engine(engines).threads(1).load(path) {
        Ok(session) => session,
        Err(error) => match error_chain(&error) {
            error if error.contains("`nezha setup") => {
                panic!("run `cargo run --release -- setup`, and again with --openvino\n{error}")
            }
            error => panic!("{choice}: {error}"),
        },
    }
}

/// A fixture's tensors, as the runtime takes them.
pub fn tensors(inputs: &BTreeMap<String, Tensor>) -> Tensors {
    crate::fixtures::tensors(inputs)
}
