//! Every engine against transformers 4.46.3: one test for each fixture, case and engine, exported by
//! the exporter, run by the runtime, compared number by number.
//!
//! `cargo test --release --test parity -- decoder` runs those with `decoder` in their names. A new
//! engine is a row in testkit's table `ENGINES`, with its tolerance and what it can't take.
#![allow(
    clippy::print_stdout,
    reason = "--nocapture shows how near the answers are"
)]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use libtest_mimic::{Arguments, Trial};
use nezha_exporter::OPSETS;
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_graphs::{Gather, GraphOptions, Head, error_chain};
use nezha_runtime::{Artifact as Packed, Session, SessionError, Tensors};
use tempfile::TempDir;
use testkit::compare::assert_close;
use testkit::engines::{ENGINES, Engine, artifact, options, tensors};
use testkit::fixtures::{Case, Fixture, bundled, fixtures};

/// The opset of the tests whose names have none.
const OPSET: u32 = *OPSETS.start();

/// Fixtures that use every operator whose form depends on the opset.
const FOR_OPSETS: [&str; 3] = [
    "reach-4/sequence-classification",
    "reach-64/multiple-choice",
    "decoder-cross-attention/masked-lm",
];

/// Heads that read the first token alone: where neither hidden states nor attentions are asked for,
/// their graphs compute no other token in the last layer.
const OF_FIRST_TOKEN: [Head; 3] = [
    Head::NextSentence,
    Head::SequenceClassification,
    Head::MultipleChoice,
];

/// An artifact that is exported when the first test needs it and goes with the last one.
struct Artifact {
    folder: PathBuf,
    head: Head,
    graph: GraphOptions,
    opset: u32,
    exported: OnceLock<(TempDir, PathBuf)>,
}

impl Artifact {
    fn path(&self) -> &PathBuf {
        let export = || artifact(&self.folder, self.head, &self.graph, self.opset);
        &self.exported.get_or_init(export).1
    }
}

/// Where an engine finds a model.
#[derive(Clone, Copy)]
enum Place {
    File,
    /// As a program has it that carries it: bytes, in no file.
    Memory,
    /// In one file, as `nezha pack` writes it.
    Packed,
}

impl Place {
    /// The model at `path`, moved there.
    fn load(self, path: &Path, engine: Engine) -> Result<Session, SessionError> {
        let session = Session::builder().engine(engine.kind).threads(1);
        match self {
            Self::File => session.load(path),
            Self::Memory => {
                let bytes = fs::read(path).expect("what was exported");
                session.load_artifact(&Packed::from_parts([("model.onnx", bytes)]).expect("a name"))
            }
            Self::Packed => {
                // What is mapped is there when the file is gone.
                let scratch = TempDir::new().expect("a scratch folder");
                let file = scratch.path().join("model.nezha");
                let folder = Packed::in_folder(path.parent().expect("a folder"));
                folder.pack_to(&file, false).expect("what was exported");
                session.load(&file)
            }
        }
    }
}

/// An artifact in an engine: loaded when the first of its cases runs, gone with the last one.
struct Loaded {
    artifact: Arc<Artifact>,
    engine: Engine,
    place: Place,
    session: OnceLock<Result<Session, SessionError>>,
}

impl Loaded {
    fn run(&self, case: &Case) -> Result<Tensors, String> {
        let load = || self.place.load(self.artifact.path(), self.engine);
        let session = self.session.get_or_init(load);
        let session = session.as_ref().map_err(|error| error_chain(error))?;
        let outputs = session.run(tensors(&case.inputs));
        outputs.map_err(|error| error.to_string())
    }
}

/// How far each engine was off at worst, and in which test.
#[derive(Default)]
struct Worst(Mutex<BTreeMap<&'static str, (usize, f64, String)>>);

impl Worst {
    fn note(&self, engine: Engine, error: f64, test: &str) {
        let mut worst = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_engine = worst.entry(engine.name()).or_default();
        of_engine.0 += 1;
        if error > of_engine.1 {
            (of_engine.1, of_engine.2) = (error, test.to_owned());
        }
    }

    fn print(&self) {
        let worst = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (engine, (cases, error, test)) in worst.iter() {
            println!("{engine}: {cases} cases, worst {error:.1e} of the largest magnitude: {test}");
        }
    }
}

/// The tests, and what they share.
#[derive(Default)]
struct Suite {
    trials: Vec<Trial>,
    worst: Arc<Worst>,
}

impl Suite {
    /// Adds a test of a case in each engine, all over one artifact.
    fn add(&mut self, name: &str, loaded: &[Arc<Loaded>], case: &Arc<Case>) {
        for loaded in loaded {
            let test = format!("{name}/{}", loaded.engine);
            let (loaded, case, worst) = (loaded.clone(), case.clone(), self.worst.clone());
            self.trials.push(Trial::test(test.clone(), move || {
                check(&test, &loaded, &case, &worst);
                Ok(())
            }));
        }
    }

    /// Adds a fixture's cases; graphs and sessions are shared by those with the same options.
    fn add_fixture(
        &mut self,
        prefix: &str,
        fixture: Fixture,
        opset: u32,
        gather: Gather,
        place: Place,
    ) {
        let mut loaded = HashMap::new();
        // Generation is another test's.
        let cases = fixture.cases.into_iter().filter(|it| !it.is_generation());
        // The first case of each graph comes first: else two tests would wait for one session to load.
        let mut of_graphs = HashMap::new();
        let numbered = cases.map(|case| {
            let graph = options(&case).gather(gather);
            let number: &mut usize = of_graphs.entry(graph.clone()).or_default();
            *number += 1;
            (*number, graph, case)
        });
        let mut numbered: Vec<_> = numbered.collect();
        numbered.sort_by_key(|(number, ..)| *number);
        for (_, graph, case) in numbered {
            let loaded = loaded.entry(graph).or_insert_with_key(|graph| {
                let folder = fixture.folder.clone();
                in_every_engine(folder, fixture.head, graph.clone(), opset, place)
            });
            let name = format!("{prefix}{}/{}", fixture.name, case.name);
            self.add(&name, loaded, &Arc::new(case));
        }
    }

    /// Adds the bundled checkpoints, each with the head that its config names.
    fn add_bundled(&mut self) {
        for (folder, mut case) in bundled() {
            let checkpoint = Checkpoint::open(&folder, &OpenOptions::default());
            let checkpoint = checkpoint.unwrap_or_else(|error| panic!("{}: {error}", case.name));
            let config = checkpoint.config();
            // The base model's output, under the name that a head's graph has for it.
            if let Some(last) = case.outputs.remove("last_hidden_state") {
                let name = format!("hidden_states.{}", config.num_hidden_layers);
                case.outputs.insert(name, last);
            }
            let graph = GraphOptions::default().hidden_states(true);
            let name = format!("bundled/{}", case.name);
            let head = config.heads()[0];
            let loaded = in_every_engine(folder, head, graph, OPSET, Place::File);
            self.add(&name, &loaded, &Arc::new(case));
        }
    }
}

fn in_every_engine(
    folder: PathBuf,
    head: Head,
    graph: GraphOptions,
    opset: u32,
    place: Place,
) -> Vec<Arc<Loaded>> {
    let artifact = Arc::new(Artifact {
        folder,
        head,
        graph,
        opset,
        exported: OnceLock::new(),
    });
    let loaded = |engine| Loaded {
        artifact: artifact.clone(),
        engine,
        place,
        session: OnceLock::new(),
    };
    ENGINES.map(|engine| Arc::new(loaded(engine))).into()
}

/// Compares all that transformers gave, or holds an engine to what it can't take.
fn check(test: &str, loaded: &Loaded, case: &Case, worst: &Worst) {
    let engine = loaded.engine;
    let outputs = match (loaded.run(case), engine.refusal(test)) {
        (Ok(outputs), None) => outputs,
        (Err(error), Some(refusal)) if error.contains(refusal.says) => return,
        (Err(error), _) => panic!("{test}: {error}"),
        (Ok(_), Some(refusal)) => {
            panic!("{engine} takes '{}' now: its refusal can go", refusal.of)
        }
    };
    let errors = case.answers().map(|(name, expected)| {
        let actual = outputs.array::<f32>(name);
        let actual = actual.unwrap_or_else(|error| panic!("{test}: {error}"));
        assert_close(test, name, expected, actual, engine.tolerance())
    });
    let error = errors.reduce(f64::max).expect("an answer of transformers");
    worst.note(engine, error, test);
}

fn suite() -> Suite {
    let mut suite = Suite::default();
    for fixture in fixtures() {
        suite.add_fixture("", fixture, OPSET, Gather::Elements, Place::File);
    }
    let cases = suite.trials.len() / ENGINES.len();
    assert!(cases > 500, "only {cases} cases in the fixtures");
    for opset in OPSETS.filter(|it| *it != OPSET) {
        let chosen = |it: &Fixture| FOR_OPSETS.contains(&it.name.as_str());
        for fixture in fixtures().into_iter().filter(chosen) {
            let prefix = format!("opset-{opset}/");
            suite.add_fixture(&prefix, fixture, opset, Gather::Elements, Place::File);
        }
    }
    let is_of_all = |name: &str| name.contains("hidden_states") || name.contains("attentions");
    let chosen = |it: &Fixture| {
        let configurations = ["reach-0/", "reach-4/"];
        let of_them = configurations.iter().any(|of| it.name.starts_with(of));
        of_them && OF_FIRST_TOKEN.contains(&it.head)
    };
    for (prefix, gather) in [("", Gather::Elements), ("flat/", Gather::Flat)] {
        for mut fixture in fixtures().into_iter().filter(chosen) {
            for case in &mut fixture.cases {
                case.outputs.retain(|name, _| !is_of_all(name));
            }
            let prefix = format!("{prefix}first-token/");
            suite.add_fixture(&prefix, fixture, OPSET, gather, Place::File);
        }
    }
    let is_whole = |it: &Fixture| {
        let configurations = ["reach-4/", "decoder-"];
        configurations.iter().any(|of| it.name.starts_with(of))
    };
    // Every head, decoders, and M = 0, 1 and far above the sequence.
    let chosen = |it: &Fixture| is_whole(it) || it.head == Head::Base;
    for fixture in fixtures().into_iter().filter(chosen) {
        suite.add_fixture("flat/", fixture, OPSET, Gather::Flat, Place::File);
    }
    for (prefix, place) in [("memory/", Place::Memory), ("packed/", Place::Packed)] {
        for fixture in fixtures().into_iter().filter(is_whole) {
            suite.add_fixture(prefix, fixture, OPSET, Gather::Elements, place);
        }
    }
    suite.add_bundled();
    suite
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let suite = suite();
    let conclusion = libtest_mimic::run(&arguments, suite.trials);
    suite.worst.print();
    conclusion.exit_code()
}
