//! Heads of users' own: specs over what their code saved (`tests/fixtures/own-heads`), held to what that code
//! answered, in every engine and in the reference.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

mod commands;
mod crf;
mod tasks;

use std::path::{Path, PathBuf};

use ndarray::ArrayD;
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::reference::{Reference, Tensor};
use nezha_exporter::{ExportOptions, export};
use nezha_graphs::head_spec::HeadSpecFile;
use nezha_graphs::{GraphOptions, Head, Precision, error_chain};
use nezha_verify::certify;
use tempfile::TempDir;
use testkit::compare::assert_close;
use testkit::engines::{ENGINES, tensors};
use testkit::fixtures::{Case, own_heads};

/// How far an answer may be off, of the largest magnitude in a tensor.
const TOLERANCE: f64 = 1e-5;

/// A checkpoint with a head of its own.
struct Own {
    name: String,
    checkpoint: Checkpoint,
    head: Head,
    cases: Vec<Case>,
}

fn all() -> Vec<Own> {
    own_heads().into_iter().map(Own::open).collect()
}

impl Own {
    fn open((folder, cases): (PathBuf, Vec<Case>)) -> Self {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let checkpoint = Checkpoint::open(&folder, &OpenOptions::default())
            .unwrap_or_else(|error| panic!("{name}: {}", error_chain(&error)));
        let head = HeadSpecFile::open(folder.join("head.toml"))
            .and_then(|file| file.resolve(checkpoint.config(), &checkpoint))
            .unwrap_or_else(|error| panic!("{name}: {}", error_chain(&error)));
        assert!(!cases.is_empty(), "{name}: no answers");
        Self {
            name,
            checkpoint,
            head,
            cases,
        }
    }

    fn artifact(&self, precision: Precision) -> (TempDir, PathBuf) {
        let target = tempfile::tempdir().unwrap();
        let options = ExportOptions::default()
            .heads(self.head)
            .precisions([precision]);
        let exported = export(&self.checkpoint, target.path(), &options)
            .unwrap_or_else(|error| panic!("{}: {}", self.name, error_chain(&error)));
        (target, exported.artifacts[0].file.path.clone())
    }
}

#[test]
fn every_engine_answers_as_the_code_that_defines_the_head() {
    for own in all() {
        let (_folder, model) = own.artifact(Precision::Fp32);
        for engine in ENGINES {
            let session = engine.session(&model);
            for case in &own.cases {
                let context = format!("{}, {engine}, {}", own.name, case.name);
                let found = session
                    .run(tensors(&case.inputs))
                    .unwrap_or_else(|error| panic!("{context}: {}", error_chain(&error)));
                for (name, expected) in scores(case) {
                    let found = found.array::<f32>(name).unwrap();
                    assert_close(&context, name, expected, found, TOLERANCE);
                }
            }
        }
    }
}

#[test]
fn the_reference_answers_as_the_code_that_defines_the_head() {
    for own in all() {
        let reference = Reference::load(&own.checkpoint).unwrap();
        for case in &own.cases {
            let context = format!("{}, {}", own.name, case.name);
            let inputs: std::collections::BTreeMap<String, Tensor> =
                testkit::fixtures::tensors(&case.inputs);
            let found = reference
                .run_graph(own.head, &GraphOptions::default(), &inputs)
                .unwrap_or_else(|error| panic!("{context}: {}", error_chain(&error)));
            for (name, expected) in scores(case) {
                assert_close(&context, name, expected, &found[name], TOLERANCE);
            }
        }
    }
}

/// What a graph gives of what the code answered: a path of labels is decoded after it.
fn scores(case: &Case) -> impl Iterator<Item = (&str, &ArrayD<f32>)> {
    let outputs = case
        .outputs
        .iter()
        .filter(|(name, _)| !name.starts_with("path"));
    outputs.map(|(name, tensor)| match tensor {
        testkit::fixtures::Tensor::F32(array) => (name.as_str(), array),
        testkit::fixtures::Tensor::I64(_) => panic!("{}: {name} is no float32", case.name),
    })
}

#[test]
fn every_artifact_is_verified_with_the_reference() {
    for own in all() {
        let (_folder, model) = own.artifact(Precision::Fp32);
        let certificate = certify(&model, &own.checkpoint, &[], &Default::default())
            .unwrap_or_else(|error| panic!("{}: {}", own.name, error_chain(&error)));
        assert!(
            certificate.passed,
            "{}: {}",
            own.name,
            certificate.to_json()
        );
    }
}

#[test]
fn every_precision_answers_about_the_same() {
    for own in all() {
        for precision in [
            Precision::Fp16,
            Precision::Fp16Storage,
            Precision::Int8,
            Precision::W8,
        ] {
            let (_folder, model) = own.artifact(precision);
            let engine = ENGINES[0];
            let session = engine.session(&model);
            let case = &own.cases[0];
            let context = format!("{}, {precision}, {}", own.name, case.name);
            let found = session
                .run(tensors(&case.inputs))
                .unwrap_or_else(|error| panic!("{context}: {}", error_chain(&error)));
            for (name, expected) in scores(case) {
                let found = found.array::<f32>(name).unwrap();
                assert_close(
                    &context,
                    name,
                    expected,
                    found,
                    engine.tolerance_in(precision),
                );
            }
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
