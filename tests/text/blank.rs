//! Texts without a token: every task answers as transformers' pipeline does, from the special tokens
//! alone.

use ndarray::Array2;
use nezha_graphs::Head;
use nezha_runtime::task::{
    Aggregation, Embedding, EmbeddingOptions, FeatureExtraction, FeatureExtractionOptions,
    MultipleChoice, MultipleChoiceOptions, NextSentence, NextSentenceOptions, QuestionAnswering,
    QuestionAnsweringOptions, Task, TextClassification, TextClassificationOptions,
    TokenClassification, TokenClassificationOptions,
};
use nezha_runtime::{EngineKind, Pipeline, Tensors};
use serde_json::{Value, json};
use testkit::engines::{ENGINES, Engine};

use crate::artifacts::{document, pipeline};

/// Blanks, combining marks, what no one sees, and nothing at all; with the ids of transformers.
fn texts() -> Vec<(String, Vec<u32>)> {
    let all = document::<Value>("vocabularies.json")["blank"]["texts"].clone();
    let text = |it: &Value| {
        let ids = serde_json::from_value(it["ids"].clone()).unwrap();
        (it["text"].as_str().unwrap().to_owned(), ids)
    };
    all.as_array().unwrap().iter().map(text).collect()
}

fn strings() -> Vec<String> {
    texts().into_iter().map(|(text, _)| text).collect()
}

/// What the model itself gives for ids.
fn run<T: Task>(pipeline: &Pipeline<T>, ids: &[u32], types: &[u32]) -> Tensors {
    let row = |values: &[u32]| {
        let values = values.iter().map(|it| i64::from(*it)).collect();
        Array2::from_shape_vec((1, ids.len()), values).unwrap()
    };
    let inputs = [
        ("input_ids", row(ids).into()),
        ("token_type_ids", row(types).into()),
    ];
    pipeline.session().run(Tensors::from(inputs)).unwrap()
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let sum: f32 = logits.iter().map(|it| it.exp()).sum();
    logits.iter().map(|it| it.exp() / sum).collect()
}

fn assert_close(found: &[f32], expected: &[f32], context: &str) {
    assert_eq!(found.len(), expected.len(), "{context}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let close = (found - expected).abs() <= 1e-5;
        assert!(close, "{context}[{index}]: {found}, expected {expected}");
    }
}

#[test]
fn token_classification_finds_nothing() {
    for Engine { kind: engine, .. } in ENGINES {
        for (aggregation, stride) in [
            (Aggregation::None, None),
            (Aggregation::Simple, Some(2)),
            (Aggregation::Average, None),
        ] {
            let options = TokenClassificationOptions::default()
                .aggregation(aggregation)
                .stride(stride)
                .ignore_labels(Vec::new());
            let head = Head::TokenClassification;
            let pipeline: Pipeline<TokenClassification> =
                pipeline("nezha-tiny-zh-ner", head, engine, options);
            for (text, answer) in strings().iter().zip(pipeline.run(strings()).unwrap()) {
                assert_eq!(answer, [], "{text:?} on {engine}, {aggregation:?}");
            }
        }
    }
}

#[test]
fn text_classification_answers_from_the_special_tokens() {
    for Engine { kind: engine, .. } in ENGINES {
        let options = TextClassificationOptions::default().top_k(None::<usize>);
        let head = Head::SequenceClassification;
        let pipeline: Pipeline<TextClassification> =
            pipeline("nezha-tiny-zh-sentiment", head, engine, options);
        let answers = pipeline.run(strings()).unwrap();
        assert_eq!(answers.len(), texts().len());
        for ((text, ids), mut answer) in texts().into_iter().zip(answers) {
            let outputs = run(&pipeline, &ids, &vec![0; ids.len()]);
            let logits = outputs.array::<f32>("logits").unwrap();
            let expected = softmax(logits.as_slice().unwrap());
            answer.sort_by_key(|it| it.label != "negative");
            let found: Vec<f32> = answer.iter().map(|it| it.score).collect();
            assert_close(&found, &expected, &format!("{text:?} on {engine}"));
        }
    }
}

#[test]
fn feature_extraction_gives_the_vectors_of_the_special_tokens() {
    for Engine { kind: engine, .. } in ENGINES {
        let features: Pipeline<FeatureExtraction> = pipeline(
            "nezha-tiny-zh",
            Head::Base,
            engine,
            FeatureExtractionOptions::default(),
        );
        let mean: Pipeline<Embedding> = pipeline(
            "nezha-tiny-zh",
            Head::Base,
            engine,
            EmbeddingOptions::default(),
        );
        for (text, ids) in texts() {
            let context = format!("{text:?} on {engine}");
            let outputs = run(&features, &ids, &vec![0; ids.len()]);
            let states = outputs.array::<f32>("last_hidden_state").unwrap();
            let vectors = features.run([&text]).unwrap().remove(0);
            assert_eq!(vectors.dim(), (ids.len(), 128), "{context}");
            let expected = states.as_slice().unwrap();
            assert_close(vectors.as_slice().unwrap(), expected, &context);
            let vector = mean.run([&text]).unwrap().remove(0);
            let expected = vectors.mean_axis(ndarray::Axis(0)).unwrap();
            let (found, expected) = (vector.as_slice().unwrap(), expected.as_slice().unwrap());
            assert_close(found, expected, &context);
        }
    }
}

#[test]
fn pairs_have_the_tokens_of_transformers_and_an_empty_second_text_is_none() {
    let engine = EngineKind::OrtCpu;
    let options = NextSentenceOptions::default();
    let pipeline: Pipeline<NextSentence> =
        pipeline("nezha-tiny-zh", Head::NextSentence, engine, options);
    let blank = document::<Value>("vocabularies.json")["blank"].clone();
    for case in blank["pairs"].as_array().unwrap() {
        let list =
            |field: &str| -> Vec<u32> { serde_json::from_value(case[field].clone()).unwrap() };
        let pair = (
            case["text"].as_str().unwrap(),
            case["pair"].as_str().unwrap(),
        );
        let outputs = run(&pipeline, &list("ids"), &list("type_ids"));
        let logits = outputs.array::<f32>("logits").unwrap();
        let expected = softmax(logits.as_slice().unwrap())[0];
        let found = pipeline.run([pair]).unwrap()[0].is_next;
        assert_close(&[found], &[expected], &format!("{pair:?}"));
    }
}

#[test]
fn a_choice_without_tokens_is_weighed_like_any_other() {
    for Engine { kind: engine, .. } in ENGINES {
        let options = MultipleChoiceOptions::default();
        let head = Head::MultipleChoice;
        let pipeline: Pipeline<MultipleChoice> = pipeline("multiple-choice", head, engine, options);
        let answers = pipeline.run([("the hotel", ["great", "", " "]), ("", ["a", "b", ""])]);
        for answer in answers.unwrap() {
            let sum: f32 = answer.scores.iter().sum();
            assert_close(
                &[answer.scores.len() as f32, sum],
                &[3.0, 1.0],
                "choices and sum",
            );
        }
    }
}

#[test]
fn a_context_without_tokens_holds_no_answer_and_an_empty_one_is_refused() {
    let expected = document::<Value>("vocabularies.json")["blank"].clone();
    for Engine { kind: engine, .. } in ENGINES {
        let ask = |options: QuestionAnsweringOptions| -> Pipeline<QuestionAnswering> {
            pipeline(
                "question-answering",
                Head::QuestionAnswering,
                engine,
                options,
            )
        };
        let pipeline = ask(QuestionAnsweringOptions::default());
        for context in strings().iter().filter(|it| !it.is_empty()) {
            let answers = pipeline.run([("the hotel", context.as_str())]).unwrap();
            assert_eq!(
                json!(answers),
                json!([[expected["answer"]]]),
                "{context:?} on {engine}"
            );
            let answers = pipeline
                .run([(context.as_str(), "the hotel was great")])
                .unwrap();
            assert!(!answers[0][0].answer.is_empty(), "{answers:?}");
        }
        let impossible = ask(QuestionAnsweringOptions::default().handle_impossible_answer(true));
        let answers = impossible.run([("the hotel", " ")]).unwrap();
        let score = json!(answers[0][0].score);
        assert_eq!(
            score.as_f64(),
            expected["no_answer"].as_f64(),
            "{answers:?}"
        );
        for (question, expected) in [
            (("", "the hotel"), "the question is empty"),
            (("the hotel", ""), "the context is empty"),
        ] {
            let error = pipeline.run([question]).unwrap_err().to_string();
            assert_eq!(error, expected);
        }
    }
}
