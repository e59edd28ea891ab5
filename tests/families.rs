//! What other frameworks wrote (`tests/fixtures/families`), read as it is and compared with what the
//! same frameworks answered, in both engines.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ndarray::{ArrayD, Axis, Zip};
use nezha_exporter::checkpoint::{Checkpoint, Format, OpenOptions};
use nezha_exporter::{ExportOptions, Heads, export};
use nezha_graphs::{Activation, Head};
use nezha_runtime::Tensors;
use tempfile::TempDir;
use testkit::command::succeeded;
use testkit::compare::{assert_close, pairs};
use testkit::engines::{ENGINES, Engine};
use testkit::fixtures::{Tensor, tensors_of};
use testkit::{fixture_folder, nezha};

/// How far an engine may be off the framework, of the largest magnitude in a tensor.
const TOLERANCE: f64 = 1e-5;

/// Files that one framework wrote, and what it answered.
struct Family {
    folder: &'static str,
    /// The files to read, each of which holds the same weights; the folder where it is empty.
    files: &'static [&'static str],
    format: &'static [Format],
    expected: &'static str,
    /// What the answers call ids, token types and mask; a missing mask is 1 where the id is not 0.
    inputs: [&'static str; 3],
    activation: Option<Activation>,
    answers: &'static [(Head, &'static str, Answer)],
}

/// What an answer is, by the name of the graph's output.
#[derive(Clone, Copy)]
enum Answer {
    /// For each text.
    Texts(&'static str),
    /// For each token that is no padding.
    Tokens(&'static str),
    /// The softmax of what the graph gives for each text.
    TextProbabilities(&'static str),
    /// The softmax of what the graph gives for each token that is no padding.
    TokenProbabilities(&'static str),
}

use Answer::{TextProbabilities, Texts, TokenProbabilities, Tokens};

const SHORT: [&str; 3] = ["ids", "seg", "mask"];

fn families() -> Vec<Family> {
    let finetuned = |activation, answers| Family {
        folder: "tensorflow-finetuned",
        files: &[
            "",
            "model.ckpt-900000",
            "model.ckpt-900000.index",
            "model.ckpt-900000.data-00000-of-00001",
        ],
        format: &[Format::TensorFlow; 4],
        expected: "expected.safetensors",
        inputs: ["input_ids", "token_type_ids", "attention_mask"],
        activation,
        answers,
    };
    let paddle = |folder, answers| Family {
        folder,
        files: &["", "model_state.pdparams"],
        format: &[Format::Paddle; 2],
        expected: "expected.safetensors",
        inputs: SHORT,
        activation: None,
        answers,
    };
    vec![
        Family {
            folder: "bert4torch",
            files: &["best_model.pt"],
            format: &[Format::Torch],
            expected: "expected.safetensors",
            inputs: SHORT,
            activation: None,
            answers: &[
                (Head::Base, "o0", Tokens("last_hidden_state")),
                (Head::Base, "o1", Texts("pooler_output")),
                (Head::Pretraining, "o2", Tokens("prediction_logits")),
                (Head::Pretraining, "o3", Texts("seq_relationship_logits")),
            ],
        },
        Family {
            folder: "bert4torch",
            files: &["classifier.pt"],
            format: &[Format::Torch],
            expected: "expected-classifier.safetensors",
            inputs: SHORT,
            activation: None,
            answers: &[(Head::SequenceClassification, "logits", Texts("logits"))],
        },
        Family {
            folder: "bert4keras",
            files: &["bert_model.ckpt", "best_model.h5"],
            format: &[Format::TensorFlow, Format::Keras],
            expected: "expected.safetensors",
            inputs: SHORT,
            activation: None,
            answers: &[
                (Head::Base, "last_hidden_state", Tokens("last_hidden_state")),
                (
                    Head::Pretraining,
                    "mlm_probabilities",
                    TokenProbabilities("prediction_logits"),
                ),
                (
                    Head::Pretraining,
                    "nsp_probabilities",
                    TextProbabilities("seq_relationship_logits"),
                ),
            ],
        },
        finetuned(
            None,
            &[
                (
                    Head::SequenceClassification,
                    "sequence_logits_gelu",
                    Texts("logits"),
                ),
                (
                    Head::TokenClassification,
                    "token_logits_gelu",
                    Tokens("logits"),
                ),
            ],
        ),
        finetuned(
            Some(Activation::GeluTanh),
            &[
                (
                    Head::SequenceClassification,
                    "sequence_logits_gelu_new",
                    Texts("logits"),
                ),
                (
                    Head::TokenClassification,
                    "token_logits_gelu_new",
                    Tokens("logits"),
                ),
            ],
        ),
        paddle(
            "paddlenlp/pretraining",
            &[
                (Head::Pretraining, "o0", Tokens("prediction_logits")),
                (Head::Pretraining, "o1", Texts("seq_relationship_logits")),
            ],
        ),
        paddle(
            "paddlenlp/question-answering",
            &[
                (Head::QuestionAnswering, "o0", Tokens("start_logits")),
                (Head::QuestionAnswering, "o1", Tokens("end_logits")),
            ],
        ),
        paddle(
            "paddlenlp/sequence-classification",
            &[(Head::SequenceClassification, "o0", Texts("logits"))],
        ),
        paddle(
            "paddlenlp/token-classification",
            &[(Head::TokenClassification, "o0", Tokens("logits"))],
        ),
    ]
}

fn fixture(folder: &str) -> PathBuf {
    fixture_folder("families").join(folder)
}

fn int64<'t>(tensors: &'t BTreeMap<String, Tensor>, name: &str) -> &'t ArrayD<i64> {
    match &tensors[name] {
        Tensor::I64(array) => array,
        Tensor::F32(_) => panic!("{name} is no int64"),
    }
}

/// A family's inputs: ids, token types, mask.
fn inputs(family: &Family, expected: &BTreeMap<String, Tensor>) -> [ArrayD<i64>; 3] {
    let [ids, types, mask] = family.inputs;
    let ids = int64(expected, ids).clone();
    let mask = match expected.contains_key(mask) {
        true => int64(expected, mask).clone(),
        false => ids.mapv(|id| i64::from(id != 0)),
    };
    [ids, int64(expected, types).clone(), mask]
}

fn softmax(logits: &ArrayD<f32>) -> ArrayD<f32> {
    let mut probabilities = logits.clone();
    let last = Axis(logits.ndim() - 1);
    for mut row in probabilities.lanes_mut(last) {
        let largest = row.fold(f32::NEG_INFINITY, |largest, it| largest.max(*it));
        row.mapv_inplace(|it| (it - largest).exp());
        let sum = row.sum();
        row.mapv_inplace(|it| it / sum);
    }
    probabilities
}

/// What stands for padding says nothing: 0 on both sides.
fn without_padding(tokens: &ArrayD<f32>, mask: &ArrayD<i64>) -> ArrayD<f32> {
    let mut kept = tokens.clone();
    let mut mask = mask.clone();
    while mask.ndim() < kept.ndim() {
        let last = Axis(mask.ndim());
        mask = mask.insert_axis(last);
    }
    let mask = mask.broadcast(kept.raw_dim()).unwrap();
    Zip::from(&mut kept).and(&mask).for_each(|it, mask| {
        if *mask == 0 {
            *it = 0.0;
        }
    });
    kept
}

#[test]
fn every_family_gives_its_frameworks_answers_in_every_engine() {
    let mut compared = 0;
    for family in families() {
        let folder = fixture(family.folder);
        let expected = tensors_of(&folder.join(family.expected));
        let [ids, types, mask] = inputs(&family, &expected);
        for (file, format) in pairs(family.folder, family.files, family.format) {
            let mut options = OpenOptions::default();
            if let Some(activation) = family.activation {
                options = options.hidden_act(activation);
            }
            let context = format!("{}/{file}", family.folder);
            let checkpoint = Checkpoint::open(folder.join(file), &options)
                .unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(checkpoint.format(), *format, "{context}");
            for &(head, name, answer) in family.answers {
                let target = TempDir::new().unwrap();
                let options = ExportOptions::default().heads(Heads::Named(vec![head]));
                let exported = export(&checkpoint, target.path(), &options)
                    .unwrap_or_else(|error| panic!("{context}, {head}: {error}"));
                for engine in ENGINES {
                    let Engine { kind, .. } = engine;
                    let context = format!("{context}, {head}, {kind}");
                    let session = engine.session(&exported.artifacts[0].file.path);
                    let given = Tensors::from([
                        ("input_ids", ids.clone().into()),
                        ("token_type_ids", types.clone().into()),
                        ("attention_mask", mask.clone().into()),
                    ]);
                    let outputs = session
                        .run(given)
                        .unwrap_or_else(|error| panic!("{context}: {error}"));
                    let output = |name: &str| outputs.array::<f32>(name).unwrap().clone();
                    let Tensor::F32(expected) = &expected[name] else {
                        panic!("{context}: {name} is no float32");
                    };
                    let (found, expected) = match answer {
                        Texts(output_name) => (output(output_name), expected.clone()),
                        TextProbabilities(output_name) => {
                            (softmax(&output(output_name)), expected.clone())
                        }
                        Tokens(output_name) => (
                            without_padding(&output(output_name), &mask),
                            without_padding(expected, &mask),
                        ),
                        TokenProbabilities(output_name) => (
                            without_padding(&softmax(&output(output_name)), &mask),
                            without_padding(expected, &mask),
                        ),
                    };
                    assert_close(&context, name, &expected, &found, TOLERANCE);
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 39 * ENGINES.len(), "answers were compared");
}

/// The reference in f64 reads the same files.
#[test]
fn verify_passes_on_every_file_of_every_family() {
    for family in families().iter().filter(|it| it.activation.is_none()) {
        let folder = fixture(family.folder);
        for file in family.files {
            for (head, ..) in family.answers {
                let checkpoint = folder.join(file);
                let target = TempDir::new().unwrap();
                let run = |arguments: &[&str]| {
                    succeeded(nezha!(arguments));
                };
                let checkpoint = checkpoint.to_str().unwrap();
                let artifact = target.path().join("model.onnx");
                run(&[
                    "export",
                    checkpoint,
                    "-o",
                    target.path().to_str().unwrap(),
                    "--head",
                    head.name(),
                ]);
                run(&["verify", artifact.to_str().unwrap(), checkpoint]);
            }
        }
    }
}

#[test]
fn a_folder_with_two_files_of_one_model_asks_for_one_of_them() {
    let error = match Checkpoint::open(fixture("bert4keras"), &OpenOptions::default()) {
        Ok(checkpoint) => panic!("opened as {}", checkpoint.format()),
        Err(error) => error.to_string(),
    };
    for name in ["bert_model.ckpt.index", "best_model.h5", "name the file"] {
        assert!(error.contains(name), "expected '{name}' in: {error}");
    }
}
