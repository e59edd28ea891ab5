//! Every engine against transformers 4.46.3, over every fixture: exported by the exporter, run by
//! the runtime, compared number by number.

use std::collections::HashMap;

use nezha_exporter::OPSETS;
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_graphs::{GraphOptions, Head};
use nezha_runtime::{Session, Tensors};
use testkit::compare::assert_close;
use testkit::engines::{self, artifact, options, session, tensors};
use testkit::fixtures::{Case, Fixture, bundled, fixtures};

/// The engines by name, with their tolerances.
const ENGINES: [(&str, f64); engines::ENGINES.len()] = {
    let [ort, tract] = engines::ENGINES;
    [("ort:cpu", ort.tolerance), ("tract", tract.tolerance)]
};

fn run(session: &Session, context: &str, case: &Case) -> Tensors {
    session
        .run(tensors(&case.inputs))
        .unwrap_or_else(|error| panic!("{context}: {error}"))
}

/// Compares all that transformers gave and the graph gives; the worst relative error.
fn compare(context: &str, case: &Case, outputs: &Tensors, tolerance: f64) -> f64 {
    let mut worst = 0.0;
    for (name, expected) in case.answers() {
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
    let fixtures = fixtures().into_iter().filter(|it| chosen(&it.name));
    parity_of(engine, tolerance, opset, fixtures)
}

/// Runs fixtures; gives how many cases there were.
fn parity_of(
    engine: &str,
    tolerance: f64,
    opset: u32,
    fixtures: impl Iterator<Item = Fixture>,
) -> usize {
    let mut worst = (0.0, String::new());
    let mut compared = 0;
    for fixture in fixtures {
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

/// Where neither hidden states nor attentions are asked for, the graph of such a head computes no
/// other token in its last layer.
#[test]
fn a_head_that_reads_the_first_token_alone_gives_the_numbers_of_transformers() {
    let heads = [
        Head::NextSentence,
        Head::SequenceClassification,
        Head::MultipleChoice,
    ];
    let is_whole = |name: &str| name.contains("hidden_states") || name.contains("attentions");
    for (engine, tolerance) in ENGINES {
        let fixtures = fixtures().into_iter().filter(|it| heads.contains(&it.head));
        let fixtures = fixtures.filter(|it| {
            ["reach-0/", "reach-4/"]
                .iter()
                .any(|r| it.name.starts_with(r))
        });
        let without = fixtures.map(|mut fixture| {
            for case in &mut fixture.cases {
                case.outputs.retain(|name, _| !is_whole(name));
            }
            fixture
        });
        let compared = parity_of(engine, tolerance, 17, without);
        assert!(compared > 25, "only {compared} cases were compared");
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
