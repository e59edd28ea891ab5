//! Models that answer together: what each says, averaged, and what can't be.

use std::fs;
use std::path::{Path, PathBuf};

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, Heads, export};
use nezha_graphs::{GraphOptions, Head, PortNames};
use nezha_runtime::task::{
    Aggregation, EmbeddingOptions, FillMaskOptions, QuestionAnsweringOptions, ScoreFunction,
    TextClassificationOptions, TokenClassificationOptions,
};
use nezha_runtime::{
    Average, Embedding, Ensemble, FillMask, QuestionAnswering, TextClassification,
    TokenClassification,
};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use tempfile::TempDir;
use testkit::command::{stderr, stdout};
use testkit::{nezha, repository};

/// Exports of a checkpoint of the repository, whose tensors of more than one axis are multiplied by each
/// of these factors: folds of one architecture. The second fold calls its inputs something else.
fn folds(checkpoint: &str, head: Head, factors: &[f32]) -> (TempDir, Vec<PathBuf>) {
    let folder = TempDir::new().unwrap();
    let export_fold = |(number, factor): (usize, &f32)| {
        let source = folder.path().join(format!("source{number}"));
        copy(&repository(checkpoint), &source);
        scale(&source.join("model.safetensors"), *factor);
        let target = folder.path().join(format!("fold{number}"));
        let checkpoint = Checkpoint::open(&source, &OpenOptions::default()).unwrap();
        let renamed = PortNames::from_iter([("input_ids", "ids")]);
        let graph = match number {
            1 => GraphOptions::default().rename(renamed).int32_inputs(true),
            _ => GraphOptions::default(),
        };
        let options = ExportOptions::default()
            .heads(Heads::Named(vec![head]))
            .graph(graph);
        export(&checkpoint, &target, &options).unwrap();
        target
    };
    let folds = factors.iter().enumerate().map(export_fold).collect();
    (folder, folds)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// Multiplies a safetensors file's matrices of float32 or float16 numbers.
fn scale(path: &Path, factor: f32) {
    let bytes = fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let scaled: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, view)| {
            let data = view.data();
            let data = match (view.dtype(), view.shape().len()) {
                (Dtype::F32, 2) => {
                    let numbers = data.as_chunks().0.iter().copied();
                    let numbers = numbers.map(|it| f32::from_le_bytes(it) * factor);
                    numbers.flat_map(f32::to_le_bytes).collect()
                }
                (Dtype::F16, 2) => {
                    let numbers = data
                        .as_chunks()
                        .0
                        .iter()
                        .copied()
                        .map(half::f16::from_le_bytes);
                    let numbers = numbers.map(|it| half::f16::from_f32(it.to_f32() * factor));
                    numbers.flat_map(half::f16::to_le_bytes).collect()
                }
                _ => data.to_vec(),
            };
            (name.to_owned(), view.dtype(), view.shape().to_vec(), data)
        })
        .collect();
    let views = scaled.iter().map(|(name, dtype, shape, data)| {
        (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    let text = safetensors::serialize(views, None).unwrap();
    fs::write(path, text).unwrap();
}

const REVIEWS: [&str; 3] = ["房间很干净，服务热情。", "客服不理人，后悔买了。", "还行"];
const SENTIMENT: &str = "models/nezha-tiny-zh-sentiment";
const FACTORS: [f32; 3] = [1.0, 0.97, 1.05];

/// The scores of both labels of each review, in the order of their names.
fn scores(model: &Path, ensemble: Ensemble, function: ScoreFunction) -> Vec<[f64; 2]> {
    let options = TextClassificationOptions::default()
        .top_k(None)
        .function(function);
    let classifier = TextClassification::builder().engine("ort").options(options);
    let classifier = classifier.ensemble(ensemble).load(model).unwrap();
    let answers = classifier.run(REVIEWS).unwrap().into_iter();
    let scores = answers.map(|mut labels| {
        labels.sort_by(|a, b| a.label.cmp(&b.label));
        [0, 1].map(|at| f64::from(labels[at].score))
    });
    scores.collect()
}

#[test]
fn logits_or_probabilities_are_averaged_with_weights() {
    let (_folder, folds) = folds(SENTIMENT, Head::SequenceClassification, &FACTORS);
    let others = || Ensemble::of(&folds[1..]);
    let ways = [
        (ScoreFunction::None, others(), [1.0, 1.0, 1.0]),
        (
            ScoreFunction::None,
            others().weights([2.0, 1.0, 5.0]),
            [2.0, 1.0, 5.0],
        ),
        (
            ScoreFunction::Softmax,
            others().average(Average::Probabilities),
            [1.0, 1.0, 1.0],
        ),
        (
            ScoreFunction::Softmax,
            others()
                .average(Average::Probabilities)
                .weights([0.0, 3.0, 1.0]),
            [0.0, 3.0, 1.0],
        ),
    ];
    for (function, ensemble, weights) in ways {
        let context = format!("{function:?}, {weights:?}");
        let each: Vec<Vec<[f64; 2]>> = folds
            .iter()
            .map(|fold| scores(fold, Ensemble::default(), function))
            .collect();
        let apart = (each[0][0][0] - each[2][0][0]).abs();
        assert!(apart > 1e-4, "{context}: the folds are the same");
        let found = scores(&folds[0], ensemble, function);
        for (review, found) in found.iter().enumerate() {
            for label in 0..2 {
                let weighed = weights
                    .iter()
                    .zip(&each)
                    .map(|(w, it)| w * it[review][label]);
                let expected = weighed.sum::<f64>() / weights.iter().sum::<f64>();
                let apart = (found[label] - expected).abs();
                assert!(apart < 2e-6, "{context}: {found:?}, expected {expected}");
            }
        }
    }
}

#[test]
fn tokens_gaps_answers_and_vectors_have_ensembles_too() {
    let (_folder, ner) = folds(
        "models/nezha-tiny-zh-ner",
        Head::TokenClassification,
        &FACTORS,
    );
    let options = TokenClassificationOptions::default()
        .aggregation(Aggregation::None)
        .ignore_labels(Vec::new());
    let names = |model: &Path, ensemble: Ensemble| {
        let builder = TokenClassification::builder()
            .engine("ort")
            .options(options.clone());
        let pipeline = builder.ensemble(ensemble.average(Average::Probabilities));
        pipeline
            .load(model)
            .unwrap()
            .run(["国务院总理李鹏今天来了", "好"])
            .unwrap()
    };
    let both = names(&ner[0], Ensemble::of(&ner[1..2]));
    let each = [0, 1].map(|fold| names(&ner[fold], Ensemble::default()));
    for (place, entity) in both[0].iter().enumerate() {
        let [a, b] = [0, 1].map(|fold| &each[fold][0][place]);
        if a.label == b.label {
            let expected = f32::midpoint(a.score, b.score);
            assert!(
                (entity.score - expected).abs() < 1e-5,
                "{entity:?}, {a:?}, {b:?}"
            );
        }
    }

    let (_folder, lm) = folds("models/nezha-tiny-zh", Head::MaskedLm, &FACTORS[..2]);
    let options = FillMaskOptions::default().targets(vec!["酒".to_owned()]);
    let gap = |model: &Path, ensemble: Ensemble| {
        let builder = FillMask::builder().engine("ort").options(options.clone());
        let pipeline = builder.ensemble(ensemble.average(Average::Probabilities));
        pipeline
            .load(model)
            .unwrap()
            .run(["这家[MASK]店很好。"])
            .unwrap()[0][0][0]
            .score
    };
    let each = [0, 1].map(|fold| gap(&lm[fold], Ensemble::default()));
    let both = gap(&lm[0], Ensemble::of(&lm[1..]));
    let expected = f32::midpoint(each[0], each[1]);
    assert!((both - expected).abs() < 1e-5, "{both}, of {each:?}");

    let qa = "tests/fixtures/text/question-answering";
    let (_folder, qa) = folds(qa, Head::QuestionAnswering, &FACTORS[..2]);
    let options = QuestionAnsweringOptions::default().top_k(3);
    let answers = |ensemble: Ensemble| {
        let builder = QuestionAnswering::builder()
            .engine("ort")
            .options(options.clone());
        let pipeline = builder.ensemble(ensemble.average(Average::Probabilities));
        let questions = [
            ("在哪里？", "这家酒店在北京。"),
            ("谁？", "李明来了，还有他的朋友，一起。"),
        ];
        pipeline.load(&qa[0]).unwrap().run(questions).unwrap()
    };
    // A model beside itself says what it says alone.
    let (alone, twice) = (
        answers(Ensemble::default()),
        answers(Ensemble::of([&qa[0]])),
    );
    for (alone, twice) in alone.iter().flatten().zip(twice.iter().flatten()) {
        assert_eq!((alone.start, alone.end), (twice.start, twice.end));
        assert!(
            (alone.score - twice.score).abs() < 1e-5,
            "{alone:?}, {twice:?}"
        );
    }
    assert_eq!(answers(Ensemble::of([&qa[1]])).len(), 2);

    let (_folder, base) = folds("models/nezha-tiny-zh", Head::Base, &FACTORS[..2]);
    let vectors = |model: &Path, ensemble: Ensemble| {
        let builder = Embedding::builder()
            .engine("ort")
            .options(EmbeddingOptions::default());
        builder
            .ensemble(ensemble)
            .load(model)
            .unwrap()
            .run(["很好"])
            .unwrap()
            .remove(0)
    };
    let mean = vectors(
        &base[0],
        Ensemble::of([&base[1]]).average(Average::Probabilities),
    );
    let [a, b] = [0, 1].map(|fold| vectors(&base[fold], Ensemble::default()));
    for (place, mean) in mean.iter().enumerate() {
        let expected = f32::midpoint(a[place], b[place]);
        assert!(
            (mean - expected).abs() < 1e-5,
            "{place}: {mean}, expected {expected}"
        );
    }
}

#[test]
fn models_of_several_labels_are_averaged_label_by_label() {
    let multi = "tests/fixtures/text/multi-label";
    let (_folder, folds) = folds(multi, Head::SequenceClassification, &[1.0, 0.8]);
    let scores = |model: &Path, ensemble: Ensemble| {
        let options = TextClassificationOptions::default().top_k(None);
        let classifier = TextClassification::builder().engine("ort").options(options);
        let classifier = classifier.ensemble(ensemble.average(Average::Probabilities));
        let mut labels = classifier
            .load(model)
            .unwrap()
            .run(["很好"])
            .unwrap()
            .remove(0);
        labels.sort_by(|a, b| a.label.cmp(&b.label));
        labels
    };
    let [a, b] = [0, 1].map(|fold| scores(&folds[fold], Ensemble::default()));
    let both = scores(&folds[0], Ensemble::of([&folds[1]]));
    for ((a, b), both) in a.iter().zip(&b).zip(&both) {
        let expected = f32::midpoint(a.score, b.score);
        assert!(
            (both.score - expected).abs() < 1e-5,
            "{both:?}, of {a:?} and {b:?}"
        );
    }
}

#[test]
fn models_that_differ_are_refused_by_what_differs() {
    let (_folder, folds) = folds(SENTIMENT, Head::SequenceClassification, &[1.0]);
    let fold = &folds[0];
    let other = |edit: &dyn Fn(&Path)| {
        let folder = TempDir::new().unwrap();
        let source = folder.path().join("source");
        copy(&repository(SENTIMENT), &source);
        edit(&source);
        let checkpoint = Checkpoint::open(&source, &OpenOptions::default()).unwrap();
        let target = folder.path().join("out");
        export(&checkpoint, &target, &ExportOptions::default()).unwrap();
        (folder, target)
    };
    let refused = |ensemble: Ensemble| {
        let classifier = TextClassification::builder()
            .engine("ort")
            .ensemble(ensemble);
        classifier.load(fold).unwrap_err().to_string()
    };
    let config = |key: &'static str, value: Value| {
        other(&move |source| {
            let path = source.join("config.json");
            let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            config[key] = value.clone();
            fs::write(path, config.to_string()).unwrap();
        })
    };
    let labels = serde_json::json!({"0": "bad", "1": "good"});
    let (_folder, labelled) = config("id2label", labels);
    assert!(
        refused(Ensemble::of([&labelled])).ends_with(
            "model.onnx: can't be averaged with the first model: labels: expected \
             [\"negative\", \"positive\"], found [\"bad\", \"good\"]"
        ),
        "{}",
        refused(Ensemble::of([&labelled]))
    );
    let (_folder, other_kind) = config("problem_type", "multi_label_classification".into());
    let said = refused(Ensemble::of([&other_kind]));
    assert!(
        said.contains("problem_type: expected single_label"),
        "{said}"
    );
    let (_folder, other_tokens) = other(&|source| {
        let path = source.join("vocab.txt");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text.replacen("\n的\n", "\n的的\n", 1)).unwrap();
    });
    let said = refused(Ensemble::of([&other_tokens]));
    assert!(
        said.contains("vocabulary: expected '的' at 4638, found '的的' at 4638"),
        "{said}"
    );
    let base = repository("models/nezha-tiny-zh");
    let target = TempDir::new().unwrap();
    let checkpoint = Checkpoint::open(base, &OpenOptions::default()).unwrap();
    let options = ExportOptions::default().heads(Heads::Named(vec![Head::MaskedLm]));
    export(&checkpoint, target.path(), &options).unwrap();
    let said = refused(Ensemble::of([target.path()]));
    assert!(
        said.contains("head: expected sequence-classification, found masked-lm"),
        "{said}"
    );
    for weights in [
        vec![1.0],
        vec![1.0, -1.0],
        vec![0.0, 0.0],
        vec![1.0, f64::NAN],
    ] {
        let said = refused(Ensemble::of([fold]).weights(weights.clone()));
        assert!(said.starts_with("the weights are ["), "{weights:?}: {said}");
    }
}

#[test]
fn the_command_averages_the_folders_that_it_is_given() {
    let (_folder, folds) = folds(SENTIMENT, Head::SequenceClassification, &FACTORS);
    let [first, second, third] = [0, 1, 2].map(|fold| folds[fold].to_str().unwrap());
    let run = |more: &[&str]| {
        let command = [
            "text-classification",
            first,
            "还行",
            "--engine",
            "ort",
            "--json",
        ];
        nezha!([&command[..], more].concat())
    };
    let score = |more: &[&str]| {
        let output = run(more);
        assert!(output.status.success(), "{}", stderr(&output));
        let document: Value = serde_json::from_str(stdout(&output)).unwrap();
        document[0]["answer"][0]["score"].as_f64().unwrap()
    };
    let folders = format!("{second},{third}");
    let together = score(&["--ensemble", &folders, "--average", "probabilities"]);
    let one_by_one = [
        "--ensemble",
        second,
        "--ensemble",
        third,
        "--average",
        "probabilities",
    ];
    assert_eq!(score(&one_by_one), together);
    let weighed = ["--ensemble", &folders, "--weights", "1,0,0"];
    assert!((score(&weighed) - score(&[])).abs() < 1e-6);
    assert!((together - score(&[])).abs() > 1e-6);
    let output = run(&["--ensemble", second, "--weights", "1,2,3"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("expected 2, one for each model"),
        "{}",
        stderr(&output)
    );
    let output = run(&["--weights", "1,2"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}
