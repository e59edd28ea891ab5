//! Accuracy on lines that no checkpoint was fine-tuned on, through the pipelines, on both engines:
//! what transformers gets (`models/README.md`).

use std::collections::BTreeSet;
use std::fs;

use nezha_graphs::{Head, Precision};
use nezha_runtime::EngineKind;
use nezha_runtime::task::{
    Aggregation, FillMask, FillMaskOptions, NextSentence, NextSentenceOptions, TextClassification,
    TextClassificationOptions, TokenClassification, TokenClassificationOptions,
};
use serde_json::Value;
use testkit::compare::pairs;
use testkit::engines::{ENGINES, Engine};

use crate::artifacts::{checkpoint, pipeline, pipeline_in};

/// How many of the held-out reviews are classified right, of 1,000.
fn right_sentiments(precision: Precision, engine: EngineKind) -> usize {
    let path = checkpoint("nezha-tiny-zh-sentiment").join("heldout.tsv");
    let lines = fs::read_to_string(path).unwrap();
    let lines: Vec<(&str, &str)> = lines
        .lines()
        .map(|it| it.split_once('\t').unwrap())
        .collect();
    assert_eq!(lines.len(), 1_000);
    let pipeline = pipeline_in::<TextClassification>(
        precision,
        "nezha-tiny-zh-sentiment",
        Head::SequenceClassification,
        engine,
        TextClassificationOptions::default().max_length(128),
    );
    let answers = pipeline.run(lines.iter().map(|(_, text)| *text)).unwrap();
    let context = format!("{precision}, {engine}");
    pairs(&context, &lines, &answers)
        .filter(|((label, _), found)| found[0].label == *label)
        .count()
}

/// Where a name begins and ends, and its label.
type Span = (u64, u64, String);

/// How many names in the held-out news are right, wrong and missed.
fn names(precision: Precision, engine: EngineKind) -> (usize, usize, usize) {
    let path = checkpoint("nezha-tiny-zh-ner").join("heldout.jsonl");
    let lines = fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert_eq!(lines.len(), 600);
    let pipeline = pipeline_in::<TokenClassification>(
        precision,
        "nezha-tiny-zh-ner",
        Head::TokenClassification,
        engine,
        TokenClassificationOptions::default().aggregation(Aggregation::Simple),
    );
    let answers = pipeline
        .run(lines.iter().map(|it| it["text"].as_str().unwrap()))
        .unwrap();
    let (mut right, mut wrong, mut missed) = (0, 0, 0);
    for (line, entities) in pairs(&format!("{precision}, {engine}"), &lines, answers) {
        let found = entities
            .into_iter()
            .map(|it| (it.start as u64, it.end as u64, it.label));
        let found: BTreeSet<Span> = found.collect();
        let expected = line["entities"].as_array().unwrap().iter().map(|it| {
            let number = |field: &str| it[field].as_u64().unwrap();
            (
                number("start"),
                number("end"),
                it["label"].as_str().unwrap().to_owned(),
            )
        });
        let expected: BTreeSet<Span> = expected.collect();
        right += found.intersection(&expected).count();
        wrong += found.difference(&expected).count();
        missed += expected.difference(&found).count();
    }
    (right, wrong, missed)
}

#[test]
fn sentiment_is_right_949_times_of_1000() {
    for Engine { kind, .. } in ENGINES {
        assert_eq!(right_sentiments(Precision::Fp32, kind), 949, "{kind}");
    }
}

#[test]
fn names_are_1059_right_117_wrong_and_96_missed() {
    for Engine { kind, .. } in ENGINES {
        let found = names(Precision::Fp32, kind);
        assert_eq!(found, (1_059, 117, 96), "{kind}");
    }
}

/// The engines that take a precision.
fn engines(precision: Precision) -> impl Iterator<Item = EngineKind> {
    let takes = move |engine: &Engine| engine.refusal(precision.name()).is_none();
    ENGINES.into_iter().filter(takes).map(|it| it.kind)
}

/// Fails where an engine loses more than `most` points of accuracy.
fn check_sentiments(precision: Precision, most: f64) {
    for engine in engines(precision) {
        let right = right_sentiments(precision, engine);
        println!("{precision}, {engine}: {right} of 1,000 right");
        let lost = (949.0 - right as f64) / 10.0;
        assert!(
            lost <= most,
            "{precision}, {engine}: {right} of 1,000 right"
        );
    }
}

/// Fails where an engine loses more than `most` points of F1.
fn check_names(precision: Precision, most: f64) {
    let f1 = |(right, wrong, missed): (usize, usize, usize)| {
        200.0 * right as f64 / (2 * right + wrong + missed) as f64
    };
    for engine in engines(precision) {
        let found = names(precision, engine);
        println!("{precision}, {engine}: {found:?}, F1 {:.2}", f1(found));
        let lost = f1((1_059, 117, 96)) - f1(found);
        assert!(
            lost <= most,
            "{precision}, {engine}: {found:?} loses {lost:.2} points"
        );
    }
}

/// A test for each precision and task: the points that fewer bits may lose.
macro_rules! lose_at_most {
    ($($name:ident: $precision:ident, $most:literal points;)*) => {$(
        mod $name {
            use nezha_graphs::Precision::$precision;

            #[test]
            fn sentiments() {
                super::check_sentiments($precision, $most);
            }

            #[test]
            fn names() {
                super::check_names($precision, $most);
            }
        }
    )*};
}

lose_at_most! {
    fp16_storage: Fp16Storage, 0.1 points;
    fp16: Fp16, 0.2 points;
    int8: Int8, 0.5 points;
    w8: W8, 0.5 points;
    q8: Q8, 0.5 points;
    q4: Q4, 2.0 points;
}

#[test]
fn gaps_are_filled_with_the_probabilities_in_the_models_readme() {
    let gaps = [
        (
            "中国人[MASK]银行行长今天宣布。",
            [("的", 0.2159), ("民", 0.1117), ("国", 0.1092)],
        ),
        (
            "这家[MASK]店的服务态度很好。",
            [("酒", 0.9772), ("饭", 0.0131), ("住", 0.0028)],
        ),
        (
            "我[MASK]常喜欢这本书。",
            [("非", 0.9140), ("不", 0.0182), ("常", 0.0149)],
        ),
        (
            "新华社北[MASK]１月１日电",
            [("京", 0.9598), ("北", 0.0021), ("省", 0.0016)],
        ),
    ];
    for Engine { kind, .. } in ENGINES {
        let options = FillMaskOptions::default().top_k(3);
        let pipeline = pipeline::<FillMask>("nezha-tiny-zh", Head::MaskedLm, kind, options);
        let answers = pipeline.run(gaps.map(|(text, _)| text)).unwrap();
        for ((text, expected), found) in pairs(kind.name(), &gaps, answers) {
            let context = format!("{text} on {kind}");
            assert_eq!(found.len(), 1, "{context}");
            for ((token, score), fill) in pairs(&context, expected, &found[0]) {
                assert_eq!(fill.token_str, *token, "{context}");
                let apart = (fill.score - score).abs();
                assert!(apart <= 1e-4, "{context}: {fill:?}, expected {score}");
            }
        }
    }
}

#[test]
fn next_sentences_have_the_probabilities_in_the_models_readme() {
    let first = "这家酒店的位置很好，出门就是地铁站。";
    let seconds = [
        ("房间也很干净，下次还会住。", 0.2936),
        ("国务院总理今天会见了外国客人。", 0.0519),
    ];
    for Engine { kind, .. } in ENGINES {
        let options = NextSentenceOptions::default();
        let pipeline = pipeline::<NextSentence>("nezha-tiny-zh", Head::NextSentence, kind, options);
        let answers = pipeline
            .run(seconds.map(|(second, _)| (first, second)))
            .unwrap();
        for ((second, score), found) in pairs(kind.name(), &seconds, answers) {
            assert!(
                (found.is_next - score).abs() <= 1e-4,
                "{second} on {kind}: {found:?}, expected {score}"
            );
        }
    }
}
