//! Tasks over a head of the user's own: the trained model for names with more tensors in its checkpoint, as a
//! fine-tuning run would leave them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use ndarray::ArrayD;
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, export};
use nezha_graphs::error_chain;
use nezha_graphs::head_spec::HeadSpec;
use nezha_runtime::task::{Aggregation, SpanClassificationOptions, TokenClassificationOptions};
use nezha_runtime::{
    QuestionAnswering, SpanClassification, Tensors, TextClassification, TokenClassification,
};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use tempfile::TempDir;
use testkit::repository;

const MODEL: &str = "models/nezha-tiny-zh-ner";
const LABELS: [&str; 7] = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"];

/// A tensor that a checkpoint gets.
struct Extra {
    name: &'static str,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Extra {
    fn new(name: &'static str, shape: &[usize], mut number: impl FnMut(usize) -> f32) -> Self {
        let count: usize = shape.iter().product();
        let bytes = (0..count).flat_map(|at| number(at).to_le_bytes()).collect();
        Self {
            name,
            shape: shape.to_vec(),
            bytes,
        }
    }

    /// Numbers of no pattern between −0.5 and 0.5.
    fn drawn(name: &'static str, shape: &[usize]) -> Self {
        let mut state = name.len() as u64;
        Self::new(name, shape, |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 40) as f32 / (1u32 << 24) as f32 - 0.5
        })
    }
}

/// The model with these tensors and this head, exported.
fn exported(spec: &str, extra: &[Extra]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (source, checkpoint) = (repository(MODEL), folder.path().join("checkpoint"));
    fs::create_dir(&checkpoint).unwrap();
    for file in ["config.json", "vocab.txt", "tokenizer_config.json"] {
        fs::copy(source.join(file), checkpoint.join(file)).unwrap();
    }
    let bytes = fs::read(source.join("model.safetensors")).unwrap();
    let trained = SafeTensors::deserialize(&bytes).unwrap();
    let added = extra.iter().map(|it| {
        let view = TensorView::new(Dtype::F32, it.shape.clone(), &it.bytes).unwrap();
        (it.name.to_owned(), view)
    });
    let trained = trained.iter().map(|(name, view)| (name.to_owned(), view));
    let path = checkpoint.join("model.safetensors");
    safetensors::serialize_to_file(trained.chain(added), None, &path).unwrap();
    let checkpoint = Checkpoint::open(&checkpoint, &OpenOptions::default()).unwrap();
    let head = HeadSpec::from_toml(spec)
        .and_then(|spec| spec.resolve(checkpoint.config(), &checkpoint))
        .unwrap_or_else(|error| panic!("{}", error_chain(&error)));
    let out = folder.path().join("out");
    export(&checkpoint, &out, &ExportOptions::default().heads(head))
        .unwrap_or_else(|error| panic!("{}", error_chain(&error)));
    (folder, out)
}

/// What a CRF forbids: an inner label after another than its kind's.
const FORBIDDEN: f32 = -10_000.0;

#[test]
fn a_crf_of_the_label_scheme_finds_no_fewer_names_than_each_token_by_itself() {
    let may_follow = |from: usize, to: usize| match LABELS[to].strip_prefix("I-") {
        None => true,
        Some(kind) => LABELS[from].ends_with(kind),
    };
    let score = |allowed: bool| if allowed { 0.0 } else { FORBIDDEN };
    let size = LABELS.len();
    let extra = [
        Extra::new("crf.transitions", &[size, size], |at| {
            score(may_follow(at / size, at % size))
        }),
        Extra::new("crf.start_transitions", &[size], |to| {
            score(may_follow(0, to))
        }),
        Extra::new("crf.end_transitions", &[size], |_| 0.0),
    ];
    let spec = "name = \"names-crf\"\n[[outputs]]\ntask = \"token-classification\"\nread = \"tokens\"\n\
                steps = [{ linear = { module = \"classifier\" } }]\ncrf = { module = \"crf\" }";
    let (_folder, out) = exported(spec, &extra);
    let simple = TokenClassificationOptions::default().aggregation(Aggregation::Simple);
    let pipeline = TokenClassification::builder()
        .engine("ort")
        .options(simple)
        .load(&out);
    let pipeline = pipeline.unwrap_or_else(|error| panic!("{}", error_chain(&error)));

    let lines = fs::read_to_string(repository(MODEL).join("heldout.jsonl")).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert_eq!(lines.len(), 600);
    let texts = lines.iter().map(|it| it["text"].as_str().unwrap());
    let answers = pipeline.run(texts).unwrap();
    assert_eq!(answers.len(), lines.len());
    let (mut right, mut wrong, mut missed) = (0, 0, 0);
    for (line, entities) in lines.iter().zip(answers) {
        assert!(entities.iter().all(|it| it.path_score.is_some()), "{line}");
        let found = entities.into_iter().map(|it| (it.start, it.end, it.label));
        let found: BTreeSet<(usize, usize, String)> = found.collect();
        let expected = line["entities"].as_array().unwrap().iter().map(|it| {
            let number = |field: &str| it[field].as_u64().unwrap() as usize;
            let label = it["label"].as_str().unwrap().to_owned();
            (number("start"), number("end"), label)
        });
        let expected: BTreeSet<_> = expected.collect();
        right += found.intersection(&expected).count();
        wrong += found.difference(&expected).count();
        missed += expected.difference(&found).count();
    }
    let f1 = |right: i32, wrong: i32, missed: i32| {
        2.0 * f64::from(right) / f64::from(2 * right + wrong + missed)
    };
    let (right, wrong, missed) = (right as i32, wrong as i32, missed as i32);
    // tests/text/heldout.rs has those of each token by itself.
    let before = f1(1_059, 117, 96);
    let after = f1(right, wrong, missed);
    assert!(
        after >= before,
        "{right} right, {wrong} wrong, {missed} missed: F1 {after:.4} after {before:.4}"
    );
}

#[test]
fn spans_are_the_pairs_whose_scores_are_above_the_threshold() {
    let extra = [
        Extra::drawn("gp.dense.weight", &[3 * 2 * 8, 128]),
        Extra::drawn("gp.dense.bias", &[3 * 2 * 8]),
    ];
    let spec = "name = \"pointer\"\n[[outputs]]\ntask = \"span-classification\"\nlabels = [\"PER\", \"LOC\", \"ORG\"]\n\
                threshold = 2.0\nread = \"tokens\"\nsteps = [{ global_pointer = { module = \"gp.dense\", size = 8 } }]";
    let (_folder, out) = exported(spec, &extra);
    let text = "国务院总理李鹏今天来了";
    let load = |options| {
        let builder = SpanClassification::builder().engine("ort").options(options);
        builder
            .load(&out)
            .unwrap_or_else(|error| panic!("{}", error_chain(&error)))
    };
    let pipeline = load(SpanClassificationOptions::default());
    let found = pipeline.run([text]).unwrap().remove(0);

    // Each character is a token, after [CLS] and before [SEP].
    let tokens = text.chars().count();
    let ids: Vec<i64> = pipeline
        .tokenizer()
        .encode(text, None, 64)
        .unwrap()
        .ids
        .iter()
        .map(|id| i64::from(*id))
        .collect();
    assert_eq!(ids.len(), tokens + 2, "{ids:?}");
    let ids = ArrayD::from_shape_vec(vec![1, ids.len()], ids).unwrap();
    let inputs: Tensors = [("input_ids".to_owned(), ids.into())].into_iter().collect();
    let outputs = pipeline.session().run(inputs).unwrap();
    let scores = outputs.array::<f32>("logits").unwrap();
    let mut expected = BTreeSet::new();
    for (index, score) in scores.indexed_iter() {
        let (label, first, last) = (index[1], index[2], index[3]);
        let inside = |token: usize| (1..=tokens).contains(&token);
        if inside(first) && inside(last) && *score > 2.0 {
            expected.insert((first - 1, last, ["PER", "LOC", "ORG"][label]));
        }
    }
    let spans: BTreeSet<_> = found
        .iter()
        .map(|it| (it.start, it.end, it.label.as_str()))
        .collect();
    assert_eq!(spans, expected);
    assert!(spans.len() > 3, "too few to say anything: {spans:?}");
    assert_eq!(found.len(), spans.len(), "a span comes twice");
    for span in &found {
        let characters: Vec<char> = text.chars().collect();
        let written: String = characters[span.start..span.end].iter().collect();
        assert_eq!(span.text, written);
    }
    let overlaps = |a: &nezha_runtime::task::Span, b: &nezha_runtime::task::Span| {
        a.start < b.end && b.start < a.end
    };
    let pairs = |spans: &[nezha_runtime::task::Span]| {
        let pairs = spans.iter().enumerate();
        pairs
            .flat_map(|(i, a)| spans[..i].iter().map(move |b| overlaps(a, b)))
            .filter(|it| *it)
            .count()
    };
    assert!(pairs(&found) > 0, "nothing is nested: {spans:?}");
    let flat = load(SpanClassificationOptions::default().nested(false))
        .run([text])
        .unwrap()
        .remove(0);
    assert!(!flat.is_empty() && pairs(&flat) == 0, "{flat:?}");
    let none = load(SpanClassificationOptions::default().threshold(1e6))
        .run([text])
        .unwrap();
    assert_eq!(none, [Vec::new()]);
}

#[test]
fn starts_and_ends_of_each_label_are_spans() {
    // A start is where the model says B-, an end where the token is one of the kind.
    let rows = |labels: [[usize; 2]; 3]| {
        move |at: usize| {
            let (row, column) = (at / 7, at % 7);
            f32::from(u8::from(labels[row].contains(&column)))
        }
    };
    let extra = [
        Extra::new("starts", &[3, 7], rows([[1, 1], [3, 3], [5, 5]])),
        Extra::new("ends", &[3, 7], rows([[2, 2], [4, 4], [6, 6]])),
    ];
    let output = |side: &str| {
        format!(
            "[[outputs]]\nname = \"{side}_logits\"\ntask = \"span-classification\"\nlabels = [\"PER\", \"LOC\", \"ORG\"]\n\
             read = \"tokens\"\nthreshold = 0.5\nsteps = [{{ linear = {{ module = \"classifier\" }} }}, {{ activation = \"softmax\" }}, \
             {{ linear = {{ weight = \"{side}s\" }} }}]\n"
        )
    };
    let spec = format!("name = \"span\"\n{}{}", output("start"), output("end"));
    let (_folder, out) = exported(&spec, &extra);
    let pipeline = SpanClassification::builder()
        .engine("ort")
        .load(&out)
        .unwrap();
    let found = pipeline.run(["国务院总理李鹏今天来了"]).unwrap().remove(0);
    let names: Vec<(&str, &str)> = found
        .iter()
        .map(|it| (it.text.as_str(), it.label.as_str()))
        .collect();
    // The nearest end: I-ORG is already at the second character.
    assert_eq!(names, [("国务", "ORG"), ("李鹏", "PER")]);
}

#[test]
fn one_artifact_answers_two_tasks() {
    let extra = [
        Extra::drawn("intent.weight", &[3, 128]),
        Extra::drawn("intent.bias", &[3]),
    ];
    let spec = "name = \"joint\"\n[[outputs]]\nname = \"intent\"\ntask = \"text-classification\"\n\
                labels = [\"甲\", \"乙\", \"丙\"]\nread = \"cls\"\nsteps = [{ linear = { module = \"intent\" } }]\n\
                [[outputs]]\nname = \"slots\"\ntask = \"token-classification\"\nread = \"tokens\"\n\
                steps = [{ linear = { module = \"classifier\" } }]";
    let (_folder, out) = exported(spec, &extra);
    let text = "国务院总理李鹏今天来了";
    let intents = TextClassification::builder()
        .engine("ort")
        .load(&out)
        .unwrap();
    let intent = intents.run([text]).unwrap().remove(0);
    assert!(
        ["甲", "乙", "丙"].contains(&intent[0].label.as_str()),
        "{intent:?}"
    );
    let simple = TokenClassificationOptions::default().aggregation(Aggregation::Simple);
    let slots = TokenClassification::builder()
        .engine("ort")
        .options(simple)
        .load(&out)
        .unwrap();
    let names = slots.run([text]).unwrap().remove(0);
    let names: Vec<&str> = names.iter().map(|it| it.label.as_str()).collect();
    assert_eq!(names, ["ORG", "PER"]);
    let error = QuestionAnswering::builder()
        .engine("ort")
        .load(&out)
        .unwrap_err();
    let told = error_chain(&error);
    assert!(
        told.contains("joint") && told.contains("question-answering"),
        "{told}"
    );
}

#[test]
fn a_score_of_an_answer_decides_whether_there_is_one() {
    for (bias, answered) in [([5.0, -5.0], false), ([-5.0, 5.0], true)] {
        let extra = [
            Extra::drawn("qa.weight", &[2, 128]),
            Extra::drawn("qa.bias", &[2]),
            Extra::new("has.weight", &[2, 128], |_| 0.0),
            Extra::new("has.bias", &[2], |at| bias[at]),
        ];
        let side = |name: &str, column: usize| {
            format!(
                "[[outputs]]\nname = \"{name}_logits\"\ntask = \"question-answering\"\nread = \"tokens\"\n\
                 steps = [{{ linear = {{ module = \"qa\" }} }}, {{ column = {column} }}]\n"
            )
        };
        let spec = format!(
            "name = \"answerable\"\n{}{}[[outputs]]\nname = \"answerable_logits\"\ntask = \"question-answering\"\n\
             read = \"cls\"\nsteps = [{{ linear = {{ module = \"has\" }} }}]",
            side("start", 0),
            side("end", 1)
        );
        let (_folder, out) = exported(&spec, &extra);
        let pipeline = QuestionAnswering::builder()
            .engine("ort")
            .load(&out)
            .unwrap();
        let answers = pipeline
            .run([("谁来了？", "国务院总理李鹏今天来了")])
            .unwrap()
            .remove(0);
        assert_eq!(
            answers[0].answer.is_empty(),
            !answered,
            "{bias:?}: {answers:?}"
        );
    }
}
