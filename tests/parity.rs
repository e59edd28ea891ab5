//! Every engine against transformers 4.46.3, over every fixture: exported by the exporter, run by
//! the runtime, compared number by number.

#[path = "support/fixtures.rs"]
mod fixtures;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use fixtures::{Case, assert_close, bundled, fixtures};
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, Heads, OPSETS, export};
use nezha_graphs::{GraphOptions, Head};
use nezha_runtime::{EngineChoice, EngineOptions, Session, Tensor, Tensors};
use tempfile::TempDir;

/// The engines, and how far each may be off, of the largest magnitude in a tensor.
const ENGINES: [(&str, f64); 2] = [("ort", 1e-5), ("tract", 1e-4)];

fn artifact(folder: &Path, head: Head, graph: &GraphOptions, opset: u32) -> (TempDir, PathBuf) {
    let context = format!("{}, {head}", folder.display());
    let checkpoint = Checkpoint::open(folder, &OpenOptions::default())
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    let options = ExportOptions {
        heads: Heads::Named(vec![head]),
        graph: graph.clone(),
        opset,
        ..ExportOptions::default()
    };
    let target = TempDir::new().unwrap();
    let exported = export(&checkpoint, target.path(), &options)
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    (target, exported.artifacts[0].file.path.clone())
}

/// The graph that takes what the case gives and gives what it took from transformers.
fn options(case: &Case) -> GraphOptions {
    let takes = |name: &str| case.inputs.contains_key(name);
    let gives = |name: &str| case.outputs.contains_key(name);
    GraphOptions {
        inputs_embeds: takes("inputs_embeds"),
        head_mask: takes("head_mask"),
        hidden_states: gives("hidden_states.0"),
        attentions: gives("attentions.0"),
        loss: gives("loss"),
        problem_type: case.problem_type,
        ..GraphOptions::default()
    }
}

fn session(path: &Path, engine: &str) -> Session {
    let choice: EngineChoice = engine.parse().unwrap();
    Session::load(path, &choice, &EngineOptions::default())
        .unwrap_or_else(|error| panic!("{engine}: {error}"))
}

fn run(session: &Session, context: &str, case: &Case) -> Tensors {
    let inputs = case.inputs.iter().map(|(name, tensor)| {
        let tensor: Tensor = match tensor {
            fixtures::Tensor::I64(array) => array.clone().into(),
            fixtures::Tensor::F32(array) => array.clone().into(),
        };
        (name.as_str(), tensor)
    });
    session
        .run(inputs.collect::<Tensors>())
        .unwrap_or_else(|error| panic!("{context}: {error}"))
}

/// Compares all that transformers gave and the graph gives; the worst relative error.
fn compare(context: &str, case: &Case, outputs: &Tensors, tolerance: f64) -> f64 {
    let mut worst = 0.0;
    for (name, expected) in &case.outputs {
        let fixtures::Tensor::F32(expected) = expected else {
            panic!("{context}: {name} is no float32");
        };
        let actual = outputs
            .array::<f32>(name)
            .unwrap_or_else(|error| panic!("{context}: {error}"));
        worst = f64::max(
            worst,
            assert_close(context, name, expected, actual, tolerance),
        );
    }
    worst
}

/// Runs the fixtures whose name `chosen` accepts; gives how many cases there were.
fn parity(engine: &str, tolerance: f64, opset: u32, chosen: impl Fn(&str) -> bool) -> usize {
    let mut worst = (0.0, String::new());
    let mut compared = 0;
    for fixture in fixtures().iter().filter(|it| chosen(&it.name)) {
        let mut sessions = HashMap::new();
        // Generation is another test's.
        for case in fixture
            .cases
            .iter()
            .filter(|it| !it.name.starts_with("greedy"))
        {
            let context = format!("{engine}, opset {opset}, {}, {}", fixture.name, case.name);
            let (_, session) = sessions.entry(options(case)).or_insert_with_key(|options| {
                let (folder, path) = artifact(&fixture.folder, fixture.head, options, opset);
                (folder, session(&path, engine))
            });
            let outputs = run(session, &context, case);
            let error = compare(&context, case, &outputs, tolerance);
            compared += 1;
            if error > worst.0 {
                worst = (error, context);
            }
        }
    }
    println!(
        "{compared} cases, worst {:.1e} of the largest magnitude: {}",
        worst.0, worst.1
    );
    compared
}

#[test]
fn onnx_runtime_gives_the_numbers_of_transformers() {
    let (engine, tolerance) = ENGINES[0];
    let compared = parity(engine, tolerance, 17, |_| true);
    assert!(compared > 500, "only {compared} cases were compared");
}

#[test]
fn tract_gives_the_numbers_of_transformers() {
    let (engine, tolerance) = ENGINES[1];
    let compared = parity(engine, tolerance, 17, |_| true);
    assert!(compared > 500, "only {compared} cases were compared");
}

/// A few fixtures that use every operator whose form depends on the opset.
#[test]
fn every_opset_gives_the_numbers_of_transformers_in_every_engine() {
    let chosen = [
        "reach-4/sequence-classification",
        "reach-64/multiple-choice",
        "decoder-cross-attention/masked-lm",
    ];
    for opset in OPSETS {
        for (engine, tolerance) in ENGINES {
            let compared = parity(engine, tolerance, opset, |name| chosen.contains(&name));
            assert!(compared > 25, "only {compared} cases were compared");
        }
    }
}

#[test]
fn the_bundled_checkpoints_give_the_numbers_of_transformers_in_every_engine() {
    for (folder, case) in bundled() {
        let named = Checkpoint::open(&folder, &OpenOptions::default()).unwrap();
        let head = named.config().heads()[0];
        let everything = GraphOptions {
            hidden_states: true,
            ..GraphOptions::default()
        };
        let (_folder, path) = artifact(&folder, head, &everything, 17);
        for (engine, tolerance) in ENGINES {
            let context = format!("{engine}, {}", case.name);
            let outputs = run(&session(&path, engine), &context, &case);
            let mut case = Case {
                outputs: case.outputs.clone(),
                ..Case::default()
            };
            // The base model's output, under the name that a head's graph has for it.
            if let Some(last) = case.outputs.remove("last_hidden_state") {
                let layers = named.config().num_hidden_layers;
                case.outputs.insert(format!("hidden_states.{layers}"), last);
            }
            let worst = compare(&context, &case, &outputs, tolerance);
            println!("{context}: worst {worst:.1e}");
        }
    }
}
