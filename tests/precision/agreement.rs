//! Every fixture in every precision, against transformers' answers in single precision.

use std::collections::{BTreeMap, HashMap};

use nezha_graphs::Precision;

use crate::artifacts::{artifact_in, options, session, tensors};
use crate::fixtures::{Fixture, Tensor, assert_close, fixtures};

/// How far each precision may be off, of the largest magnitude in a tensor. The fixtures are tiny
/// models of random weights, which rounding hurts more than trained ones; `tests/text` has those.
const ALLOWED: [(Precision, f64); 3] = [
    (Precision::Fp16Storage, 0.02),
    (Precision::Fp16, 0.02),
    (Precision::Int8, 0.3),
];

/// Of each fixture's cases, one in this many: in single precision, `tests/parity.rs` runs all.
const STEP: usize = 5;

/// The first opset, the one that brings Gelu and the last.
const OPSETS: [u32; 3] = [17, 20, 23];

/// Every fixture.
fn all(_: &Fixture) -> bool {
    true
}

/// Each head once.
fn few(fixture: &Fixture) -> bool {
    fixture.name.starts_with("reach-4/")
}

/// Runs the fixtures that `chosen` accepts; gives how many cases there were.
fn compare(
    precision: Precision,
    allowed: f64,
    engine: &str,
    opset: u32,
    chosen: fn(&Fixture) -> bool,
) -> usize {
    let mut worst: BTreeMap<&str, f64> = BTreeMap::new();
    let mut compared = 0;
    let fixtures = fixtures();
    for fixture in fixtures.iter().filter(|it| chosen(it)) {
        let mut sessions = HashMap::new();
        let generation = |name: &str| name.starts_with("greedy");
        let cases = fixture.cases.iter().filter(|it| !generation(&it.name));
        for case in cases.step_by(STEP) {
            let context = format!(
                "{precision}, {engine}, opset {opset}, {}, {}",
                fixture.name, case.name
            );
            let (_, session) = sessions.entry(options(case)).or_insert_with_key(|options| {
                let (folder, path) =
                    artifact_in(precision, &fixture.folder, fixture.head, options, opset);
                (folder, session(&path, engine))
            });
            let outputs = session
                .run(tensors(&case.inputs))
                .unwrap_or_else(|error| panic!("{context}: {error}"));
            for (name, expected) in &case.outputs {
                let Tensor::F32(expected) = expected else {
                    panic!("{context}: {name} is no float32");
                };
                let actual = outputs.array::<f32>(name).unwrap();
                let error = assert_close(&context, name, expected, actual, allowed);
                let worst = worst.entry(name).or_default();
                *worst = worst.max(error);
            }
            compared += 1;
        }
    }
    println!("{precision}, {engine}, opset {opset}: {compared} cases, worst {worst:?}");
    compared
}

#[test]
fn onnx_runtime_is_near_the_numbers_of_transformers_in_every_precision() {
    for (precision, allowed) in ALLOWED {
        let compared = compare(precision, allowed, "ort", 17, all);
        assert!(compared > 100, "only {compared} cases were compared");
    }
}

#[test]
fn tract_is_near_the_numbers_of_transformers_in_every_precision() {
    for (precision, allowed) in ALLOWED {
        let compared = compare(precision, allowed, "tract", 17, few);
        assert!(compared > 5, "only {compared} cases were compared");
    }
}

#[test]
fn old_and_new_opsets_have_every_precision() {
    for opset in OPSETS {
        for (precision, allowed) in ALLOWED {
            let compared = compare(precision, allowed, "ort", opset, few);
            assert!(compared > 5, "only {compared} cases were compared");
        }
    }
}
