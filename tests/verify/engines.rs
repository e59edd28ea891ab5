//! What verification says of engines that answer for other weights, or compute another function.

use std::fs;

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, export, verify};
use nezha_graphs::proto::{ModelProto, TensorProto};
use nezha_graphs::{Precision, decode_model};
use nezha_runtime::{EngineKind, EngineOptions};
use nezha_verify::{CaseReport, EngineReport, compare};
use prost::Message;

fn fixture(name: &str) -> Checkpoint {
    Checkpoint::open(testkit::fixture_folder(name), &OpenOptions::default()).unwrap()
}

/// Exports the checkpoint, changes the artifact behind verification's back, and asks ONNX Runtime.
fn ask_after(
    checkpoint: &Checkpoint,
    precision: Precision,
    change: impl FnOnce(&mut ModelProto),
) -> EngineReport {
    let folder = tempfile::tempdir().unwrap();
    let options = ExportOptions::default().precisions(vec![precision]);
    let exported = export(checkpoint, folder.path(), &options).unwrap();
    let path = &exported.artifacts[0].file.path;
    let verified = verify::verify(path, checkpoint).unwrap();
    assert!(verified.differences.is_empty(), "{precision}");
    let mut model = decode_model(fs::read(path).unwrap().into()).unwrap();
    change(&mut model);
    fs::write(path, model.encode_to_vec()).unwrap();
    let engines = [EngineKind::OrtCpu];
    let asked = compare(
        path,
        checkpoint,
        &verified,
        &engines,
        &EngineOptions::default(),
    );
    let [report] = <[EngineReport; 1]>::try_from(asked.unwrap()).unwrap_or_else(|_| panic!());
    assert_eq!(report.cases.len(), 6, "{precision}");
    report
}

/// Multiplies the first scale of the first layer's value matrix.
fn scale_one_block(model: &mut ModelProto, factor: f32) {
    let mut initializers = model.graph.as_mut().unwrap().initializer.iter_mut();
    let is_scales = |it: &TensorProto| {
        it.name.contains("layer.0.attention.self.value.weight") && it.name.ends_with("scales")
    };
    let scales = initializers.find(|it| is_scales(it)).unwrap();
    let mut bytes = scales.raw_data.to_vec();
    let first = f32::from_le_bytes(bytes[..4].try_into().unwrap());
    bytes[..4].copy_from_slice(&(factor * first).to_le_bytes());
    scales.raw_data = bytes.into();
}

/// Has the nodes of one operator compute another.
fn replace_operator(model: &mut ModelProto, from: &str, to: &str) {
    let nodes = model.graph.as_mut().unwrap().node.iter_mut();
    let nodes: Vec<_> = nodes.filter(|it| it.op_type == from).collect();
    assert!(!nodes.is_empty(), "no {from}");
    for node in nodes {
        node.op_type = to.to_owned();
    }
}

#[test]
fn an_engine_that_answers_for_other_weights_fails_every_case() {
    let folder = tempfile::tempdir().unwrap();
    let source = fixture("reach-4/masked-lm");
    let (other, target) = (folder.path().join("other"), folder.path().join("out"));
    fs::create_dir(&other).unwrap();
    fs::copy(
        source.folder().join("config.json"),
        other.join("config.json"),
    )
    .unwrap();
    let mut weights = fs::read(source.folder().join("model.safetensors")).unwrap();
    // The last number of the last tensor, a bias of the last layer.
    let last = weights.len() - 4;
    weights[last..].copy_from_slice(&0.5_f32.to_le_bytes());
    fs::write(other.join("model.safetensors"), weights).unwrap();

    let other = Checkpoint::open(&other, &OpenOptions::default()).unwrap();
    let exported = export(&other, &target, &ExportOptions::default()).unwrap();
    let model = &exported.artifacts[0].file.path;
    let verified = verify::verify(model, &other).unwrap();
    let ask = |checkpoint: &Checkpoint| {
        let engines = [EngineKind::OrtCpu, EngineKind::Tract];
        let options = EngineOptions::default();
        compare(model, checkpoint, &verified, &engines, &options).unwrap()
    };
    for report in ask(&other) {
        assert!(report.passed(), "{}", report.engine);
    }
    for report in ask(&source) {
        assert_eq!(report.cases.len(), 6);
        for case in report.cases {
            assert!(!case.passed, "{}, {}", report.engine, case.name);
            assert_eq!(case.output, "logits");
        }
    }
}

/// Says of each case how far it is off.
fn errors(report: &EngineReport) -> String {
    let error = |it: &CaseReport| format!("{}: {:?} ({:?})", it.name, it.error, it.failure);
    let errors: Vec<String> = report.cases.iter().map(error).collect();
    format!("{} allowed; {}", report.tolerance, errors.join(", "))
}

#[test]
fn one_scale_that_is_5_percent_off_fails_the_answers_in_4_bits() {
    let checkpoint = fixture("reach-4/token-classification");
    let sound = ask_after(&checkpoint, Precision::Q4, |_| {});
    assert!(sound.passed(), "{}", errors(&sound));
    let report = ask_after(&checkpoint, Precision::Q4, |it| scale_one_block(it, 1.05));
    assert!(!report.passed(), "{}", errors(&report));
    // Far below what rounding to 4 bits does to this model's answers.
    assert!(report.worst().unwrap() < 0.01, "{}", errors(&report));
}

#[test]
fn another_activation_over_the_right_weights_fails_every_case_in_every_precision() {
    let checkpoint = fixture("reach-4/sequence-classification");
    for precision in Precision::ALL {
        let sound = ask_after(&checkpoint, precision, |_| {});
        assert!(sound.passed(), "{precision}: {}", errors(&sound));
        // The pooler's: the logits are off by a quarter to a third of the largest one.
        let report = ask_after(&checkpoint, precision, |model| {
            replace_operator(model, "Tanh", "Softsign");
        });
        let all = report
            .cases
            .iter()
            .all(|it| !it.passed && it.error.is_some());
        assert!(all, "{precision}: {}", errors(&report));
        assert!(
            report.worst().unwrap() < 0.5,
            "{precision}: {}",
            errors(&report)
        );
    }
}

#[test]
fn an_approximation_of_the_activation_fails_every_case_where_products_are_in_single_precision() {
    let checkpoint = fixture("reach-4/sequence-classification");
    for precision in [Precision::Fp32, Precision::Fp16Storage, Precision::Q4] {
        let report = ask_after(&checkpoint, precision, |model| {
            replace_operator(model, "Erf", "Tanh");
        });
        let all = report
            .cases
            .iter()
            .all(|it| !it.passed && it.error.is_some());
        assert!(all, "{precision}: {}", errors(&report));
    }
}
