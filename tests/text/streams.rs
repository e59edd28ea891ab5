//! Batches, windows, errors among answers, threads.

use std::num::NonZeroUsize;
use std::thread;

use nezha_graphs::Head;
use nezha_runtime::task::{
    Aggregation, FillMaskOptions, TaskError, Text, TextClassificationOptions,
    TokenClassificationOptions,
};
use nezha_runtime::{
    Batching, EngineKind, EngineOptions, FillMask, MultipleChoice, PipelineError,
    TextClassification, TokenClassification,
};
use serde_json::json;
use testkit::compare::pairs;

use crate::artifacts::{self, checkpoint, exported, pipeline};

fn sentiment() -> TextClassification {
    let options = TextClassificationOptions::default().top_k(None::<usize>);
    let head = Head::SequenceClassification;
    pipeline("nezha-tiny-zh-sentiment", head, EngineKind::OrtCpu, options)
}

/// Lines that hold a token, of very different lengths.
fn lines() -> Vec<String> {
    let pipeline = sentiment();
    let has_token = |line: &String| !pipeline.tokenizer().ids(line).unwrap().is_empty();
    let lines = artifacts::lines().into_iter().step_by(9);
    let kept: Vec<String> = lines.filter(has_token).collect();
    let long = kept[10..30].concat();
    kept.into_iter().chain([long]).collect()
}

fn batching(window: usize, rows: usize, tokens: usize, multiple: usize) -> Batching {
    let number = |number| NonZeroUsize::new(number).unwrap();
    Batching::default()
        .window(number(window))
        .rows(number(rows))
        .tokens(number(tokens))
        .multiple(number(multiple))
}

#[test]
fn answers_come_in_the_order_of_the_inputs_whatever_the_batches() {
    let lines = lines();
    let mut pipeline = sentiment();
    pipeline.set_batching(batching(1, 1, 1, 1));
    let one_by_one = pipeline.run(&lines).unwrap();
    assert_eq!(one_by_one.len(), lines.len());
    for batching in [
        batching(64, 8, 2048, 1),
        batching(7, 3, 64, 8),
        batching(999, 50, 9999, 16),
    ] {
        pipeline.set_batching(batching.clone());
        let found = pipeline.run(&lines).unwrap();
        let answers = pairs(&format!("{batching:?}"), &one_by_one, &found);
        for (number, (expected, found)) in answers.enumerate() {
            let context = format!("{batching:?}, line {number}");
            for (expected, found) in pairs(&context, expected, found) {
                let close = (found.score - expected.score).abs() <= 1e-5;
                assert!(
                    close && found.label == expected.label,
                    "{context}: {found:?}, expected {expected:?}"
                );
            }
        }
    }
}

#[test]
fn an_input_that_fails_leaves_the_others_their_answers() {
    let options = FillMaskOptions::default();
    let head = Head::MaskedLm;
    let pipeline: FillMask = pipeline("nezha-tiny-zh", head, EngineKind::OrtCpu, options);
    let inputs = ["我[MASK]常喜欢", "", "没有", "这家[MASK]店", " \t\u{0}"];
    let answers: Vec<_> = pipeline.stream(inputs).collect();
    let outcomes = answers.iter().map(|it| match it {
        Ok(gaps) => gaps[0][0].token_str.clone(),
        Err(error) => error.to_string(),
    });
    assert_eq!(
        outcomes.collect::<Vec<_>>(),
        [
            "非",
            "the text has no [MASK], or only beyond token 512, where it is cut",
            "the text has no [MASK], or only beyond token 512, where it is cut",
            "酒",
            "the text has no [MASK], or only beyond token 512, where it is cut",
        ]
    );
}

#[test]
fn inputs_are_read_one_window_ahead_and_no_more() {
    let mut pipeline = sentiment();
    pipeline.set_batching(batching(4, 8, 2048, 1));
    let mut read = 0;
    let mut answers = pipeline.stream((0..1_000).map(|_| {
        read += 1;
        "很好"
    }));
    assert!(answers.next().is_some_and(|it| it.is_ok()));
    drop(answers);
    assert_eq!(read, 4);
}

#[test]
fn threads_share_a_pipeline_by_reference() {
    let (pipeline, lines) = (sentiment(), lines());
    let expected = pipeline.run(&lines).unwrap();
    thread::scope(|scope| {
        let ask = || pipeline.run(&lines).unwrap();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), expected);
        }
    });
}

#[test]
fn a_text_of_a_million_characters_is_answered() {
    let text = "很好。".repeat(333_334);
    assert_eq!(sentiment().run([&text]).unwrap().len(), 1);
}

#[test]
fn a_head_that_does_not_fit_the_task_is_named_with_those_that_do() {
    let folder = exported("nezha-tiny-zh-sentiment", Head::SequenceClassification);
    let options = EngineOptions::default();
    let error = FillMask::builder()
        .engine_options(options.clone())
        .load(folder)
        .err()
        .unwrap();
    let error = error.to_string();
    let expected = "the head is sequence-classification; fill-mask needs masked-lm or pretraining";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_folder_without_model_is_named_with_what_was_looked_for() {
    let options = EngineOptions::default();
    let folder = checkpoint("nezha-tiny-zh");
    let error = FillMask::builder()
        .engine_options(options.clone())
        .load(folder)
        .err()
        .unwrap();
    let error = error.to_string();
    assert!(
        error.contains("model.onnx, masked-lm.onnx, pretraining.onnx"),
        "{error}"
    );
    assert!(error.contains("nezha export"), "{error}");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let options = TokenClassificationOptions::default();
    let head = Head::TokenClassification;
    let mut pipeline: TokenClassification =
        pipeline("token-classification", head, EngineKind::OrtCpu, options);
    let strided = |aggregation, stride| {
        TokenClassificationOptions::default()
            .aggregation(aggregation)
            .stride(stride)
    };
    let strides = strided(Aggregation::Simple, 46);
    pipeline.set_options(strides).unwrap();
    let error = pipeline.run(["好".repeat(100)]).unwrap_err().to_string();
    assert!(
        error.contains("a stride of 46 tokens is too large: expected fewer than"),
        "{error}"
    );
    let pair = pipeline.run([Text::from(("一", "二"))]).unwrap_err();
    assert!(
        matches!(&pair, PipelineError::Task(error) if matches!(**error, TaskError::Pair)),
        "{pair}"
    );
    let refused = pipeline.set_options(strided(Aggregation::None, 4));
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("stride: needs an aggregation"), "{error}");
    // The pipeline is what it was.
    let error = pipeline.run(["好".repeat(100)]).unwrap_err().to_string();
    assert!(error.contains("a stride of 46 tokens"), "{error}");
}

#[test]
fn a_question_without_choices_is_refused() {
    let pipeline: MultipleChoice = pipeline(
        "multiple-choice",
        Head::MultipleChoice,
        EngineKind::OrtCpu,
        Default::default(),
    );
    let error = pipeline
        .run([("酒店", Vec::<String>::new())])
        .unwrap_err()
        .to_string();
    assert_eq!(error, "there is no choice to choose from");
    let answers = pipeline.run([
        ("酒店", vec!["好"]),
        ("酒店", vec!["好", "大"]),
        ("好", vec!["大"]),
    ]);
    let counts: Vec<usize> = answers.unwrap().iter().map(|it| it.scores.len()).collect();
    assert_eq!(json!(counts), json!([1, 2, 1]));
}
