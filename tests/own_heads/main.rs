//! Heads of users' own: specs over what their code saved (`tests/fixtures/own-heads`), held to what that code
//! answered, in every engine and in the reference.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

mod commands;

use std::path::{Path, PathBuf};

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
                for (name, expected) in case.answers() {
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
            for (name, expected) in case.answers() {
                assert_close(&context, name, expected, &found[name], TOLERANCE);
            }
        }
    }
}

#[test]
fn artifacts_of_every_precision_are_verified_with_the_reference() {
    let precisions = [Precision::Fp32, Precision::Fp16, Precision::Int8];
    for (own, precision) in all().iter().zip(precisions.iter().cycle()) {
        verified(own, Precision::Fp32);
        verified(own, *precision);
    }
}

fn verified(own: &Own, precision: Precision) {
    let (_folder, model) = own.artifact(precision);
    let certificate = certify(&model, &own.checkpoint, &[], &Default::default())
        .unwrap_or_else(|error| panic!("{}, {precision}: {}", own.name, error_chain(&error)));
    let context = format!("{}, {precision}: {}", own.name, certificate.to_json());
    assert!(certificate.passed, "{context}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
