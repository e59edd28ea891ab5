//! Every fixture in every precision, against transformers' answers in single precision.

use std::collections::{BTreeMap, HashMap};

use nezha_graphs::{Gather, Precision};
use nezha_runtime::EngineKind;
use testkit::compare::assert_close;
use testkit::engines::{ENGINES, artifact_in, options, tensors};
use testkit::fixtures::{Fixture, fixtures};

/// Those whose answers are near single precision's on the fixtures, tiny models of random weights;
/// `tests/text` has trained ones, and `blocks.rs` what blocks of fewer bits stand for.
const PRECISIONS: [Precision; 4] = [
    Precision::Fp16Storage,
    Precision::Fp16,
    Precision::Int8,
    Precision::W8,
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
    kind: EngineKind,
    opset: u32,
    gather: Gather,
    chosen: fn(&Fixture) -> bool,
) -> usize {
    let engine = ENGINES.into_iter().find(|it| it.kind == kind).unwrap();
    let allowed = engine.tolerance_in(precision);
    let mut worst: BTreeMap<String, f64> = BTreeMap::new();
    let mut compared = 0;
    let fixtures = fixtures();
    for fixture in fixtures.iter().filter(|it| chosen(it)) {
        let mut sessions = HashMap::new();
        let cases = fixture.cases.iter().filter(|it| !it.is_generation());
        for case in cases.step_by(STEP) {
            let context = format!(
                "{precision}, {engine}, opset {opset}, {gather}, {}, {}",
                fixture.name, case.name
            );
            let graph = options(case).gather(gather);
            let (_, session) = sessions.entry(graph).or_insert_with_key(|options| {
                let (folder, path) =
                    artifact_in(precision, &fixture.folder, fixture.head, options, opset);
                (folder, engine.session(&path))
            });
            let outputs = session
                .run(tensors(&case.inputs))
                .unwrap_or_else(|error| panic!("{context}: {error}"));
            for (name, expected) in case.answers() {
                let actual = outputs.array::<f32>(name).unwrap();
                let error = assert_close(&context, name, expected, actual, allowed);
                let worst = worst.entry(name.to_owned()).or_default();
                *worst = worst.max(error);
            }
            compared += 1;
        }
    }
    println!("{precision}, {engine}, opset {opset}, {gather}: {compared} cases, worst {worst:?}");
    compared
}

#[test]
fn onnx_runtime_is_near_the_numbers_of_transformers_in_every_precision() {
    for precision in PRECISIONS {
        let compared = compare(precision, EngineKind::OrtCpu, 17, Gather::Elements, all);
        assert!(compared > 100, "only {compared} cases were compared");
    }
}

#[test]
fn tract_is_near_the_numbers_of_transformers_in_every_precision() {
    for precision in PRECISIONS {
        let compared = compare(precision, EngineKind::Tract, 17, Gather::Elements, few);
        assert!(compared > 5, "only {compared} cases were compared");
    }
}

#[test]
fn openvino_is_near_the_numbers_of_transformers_in_every_precision() {
    for precision in PRECISIONS {
        let compared = compare(
            precision,
            EngineKind::OpenVinoCpu,
            17,
            Gather::Elements,
            few,
        );
        assert!(compared > 5, "only {compared} cases were compared");
    }
}

#[test]
fn old_and_new_opsets_have_every_precision() {
    for opset in OPSETS {
        for precision in PRECISIONS {
            let compared = compare(precision, EngineKind::OrtCpu, opset, Gather::Elements, few);
            assert!(compared > 5, "only {compared} cases were compared");
        }
    }
}

/// The flat form in an engine, in every precision.
fn flat(engine: EngineKind) {
    for precision in PRECISIONS {
        let compared = compare(precision, engine, 17, Gather::Flat, few);
        assert!(compared > 5, "only {compared} cases were compared");
    }
}

#[test]
fn onnx_runtime_has_the_flat_form_in_every_precision() {
    flat(EngineKind::OrtCpu);
}

#[test]
fn openvino_has_the_flat_form_in_every_precision() {
    flat(EngineKind::OpenVinoCpu);
}

#[test]
fn tract_has_the_flat_form_in_every_precision() {
    flat(EngineKind::Tract);
}
