//! Every pipeline against transformers' pipeline of that name, or its model and a few lines where
//! there is none, on both engines: same labels, same offsets, scores within 1e-4.

use nezha_graphs::Head;
use nezha_runtime::task::{
    Aggregation, Choice, Choices, Embedding, EmbeddingOptions, Entity, FeatureExtraction,
    FeatureExtractionOptions, Fill, FillMask, FillMaskOptions, MultipleChoice,
    MultipleChoiceOptions, NextSentence, NextSentenceOptions, Pooling, Pretraining, Question,
    QuestionAnswering, QuestionAnsweringOptions, ScoreFunction, Task, Text, TextClassification,
    TextClassificationOptions, TokenClassification, TokenClassificationOptions,
};
use nezha_runtime::{EngineKind, Pipeline};
use serde_json::{Value, json};
use testkit::compare::pairs;
use testkit::engines::{ENGINES, Engine};

use crate::artifacts::{json, pipeline};

const TOLERANCE: f64 = 1e-4;

/// A question to a pipeline of transformers and its answer.
struct Case {
    task: String,
    model: String,
    options: Value,
    inputs: Vec<Value>,
    answers: Vec<Value>,
}

fn cases(task: &str) -> Vec<Case> {
    let all = json("pipelines.json");
    let list = |value: &Value| value.as_array().unwrap().clone();
    let case = |it: &Value| Case {
        task: it["task"].as_str().unwrap().to_owned(),
        model: it["model"].as_str().unwrap().to_owned(),
        options: it["options"].clone(),
        inputs: list(&it["inputs"]),
        answers: list(&it["answers"]),
    };
    let found: Vec<Case> = all.iter().map(case).filter(|it| it.task == task).collect();
    assert!(!found.is_empty(), "no fixture for {task}");
    found
}

impl Case {
    fn number(&self, option: &str) -> Option<usize> {
        self.options[option].as_u64().map(|number| number as usize)
    }

    fn flag(&self, option: &str) -> bool {
        self.options[option].as_bool().unwrap_or_default()
    }

    fn texts(&self, option: &str) -> Option<Vec<String>> {
        serde_json::from_value(self.options[option].clone()).ok()
    }

    fn context(&self, engine: EngineKind) -> String {
        format!(
            "{} of {} on {engine} with {}",
            self.task, self.model, self.options
        )
    }
}

/// Asks all inputs of each case at once, on both engines, and compares what `shown` makes of the
/// answers; a model is loaded once for all its cases.
fn check<T: Task>(
    cases: &[Case],
    head: Head,
    options: impl Fn(&Case) -> T::Options,
    input: impl Fn(&Value) -> T::Input,
    shown: impl Fn(&Case, T::Answer) -> Value,
) {
    for Engine { kind: engine, .. } in ENGINES {
        let mut loaded: Option<(&str, Pipeline<T>)> = None;
        for case in cases {
            let context = case.context(engine);
            let mut pipeline = match loaded.take() {
                Some((model, pipeline)) if model == case.model => pipeline,
                _ => pipeline(&case.model, head, engine, T::Options::default()),
            };
            let set = pipeline.set_options(options(case));
            set.unwrap_or_else(|error| panic!("{context}: {error}"));
            let answers = pipeline.run(case.inputs.iter().map(&input));
            let answers = answers.unwrap_or_else(|error| panic!("{context}: {error}"));
            let answers = pairs(&context, &case.answers, answers);
            for (number, (expected, found)) in answers.enumerate() {
                compare(
                    &shown(case, found),
                    expected,
                    &format!("{context}, input {number}"),
                );
            }
            loaded = Some((&case.model, pipeline));
        }
    }
}

/// Fails where anything differs, or a number by more than the tolerance.
fn compare(found: &Value, expected: &Value, place: &str) {
    match (found, expected) {
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{place}: {found} and {expected}");
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(a, b, &format!("{place}[{index}]"));
            }
        }
        (Value::Object(a), Value::Object(b)) => {
            let keys = |it: &serde_json::Map<String, Value>| {
                let mut keys: Vec<String> = it.keys().cloned().collect();
                keys.sort();
                keys
            };
            assert_eq!(keys(a), keys(b), "{place}");
            for (key, value) in a {
                compare(value, &b[key], &format!("{place}.{key}"));
            }
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            assert!(
                (a - b).abs() <= TOLERANCE,
                "{place}: {a}, transformers has {b}"
            );
        }
        _ => assert_eq!(found, expected, "{place}"),
    }
}

fn text(value: &Value) -> Text {
    match value {
        Value::String(text) => Text::from(text),
        Value::Array(pair) => Text::from((pair[0].as_str().unwrap(), pair[1].as_str().unwrap())),
        pair => Text::from((
            pair["text"].as_str().unwrap(),
            pair["text_pair"].as_str().unwrap(),
        )),
    }
}

/// transformers' list is one level flatter where the text has one gap.
fn fills(gaps: &[Vec<Fill>]) -> Value {
    match gaps {
        [gap] => json!(gap),
        gaps => json!(gaps),
    }
}

#[test]
fn fill_mask() {
    let options = |case: &Case| {
        FillMaskOptions::default()
            .top_k(case.number("top_k").unwrap())
            .targets(case.texts("targets").unwrap_or_default())
            .max_length(case.number("max_length"))
    };
    let cases = cases("fill-mask");
    check::<FillMask>(&cases, Head::MaskedLm, options, text, |_, gaps| {
        fills(&gaps)
    });
}

#[test]
fn the_pretraining_head_fills_gaps_as_the_masked_lm_head_does() {
    let options = |case: &Case| FillMaskOptions::default().top_k(case.number("top_k").unwrap());
    let cases = &cases("fill-mask")[..2];
    check::<FillMask>(cases, Head::Pretraining, options, text, |_, gaps| {
        fills(&gaps)
    });
}

#[test]
fn text_classification() {
    let options = |case: &Case| {
        TextClassificationOptions::default()
            .top_k(case.number("top_k"))
            .function(
                case.options["function_to_apply"]
                    .as_str()
                    .map(|name| match name {
                        "softmax" => ScoreFunction::Softmax,
                        "sigmoid" => ScoreFunction::Sigmoid,
                        _ => ScoreFunction::None,
                    }),
            )
    };
    let cases = cases("text-classification");
    let head = Head::SequenceClassification;
    check::<TextClassification>(&cases, head, options, text, |_, labels| json!(labels));
}

#[test]
fn token_classification() {
    let aggregation = |case: &Case| match case.options["aggregation_strategy"].as_str().unwrap() {
        "simple" => Aggregation::Simple,
        "first" => Aggregation::First,
        "average" => Aggregation::Average,
        "max" => Aggregation::Max,
        _ => Aggregation::None,
    };
    let options = |case: &Case| {
        let defaults = TokenClassificationOptions::default();
        TokenClassificationOptions::default()
            .aggregation(aggregation(case))
            .ignore_labels(
                case.texts("ignore_labels")
                    .unwrap_or(defaults.ignore_labels),
            )
            .stride(case.number("stride"))
    };
    // transformers has another name for a label without B- and I-.
    let shown = |case: &Case, entities: Vec<Entity>| {
        let key = if aggregation(case) == Aggregation::None {
            "entity"
        } else {
            "entity_group"
        };
        let entity = |it: Entity| {
            let mut value = json!(it);
            let fields = value.as_object_mut().unwrap();
            let label = fields.remove("label").unwrap();
            fields.insert(key.to_owned(), label);
            // transformers has no such field: see `words`.
            fields.remove("text").unwrap();
            value
        };
        entities.into_iter().map(entity).collect()
    };
    let cases = cases("token-classification");
    check::<TokenClassification>(&cases, Head::TokenClassification, options, text, shown);
}

#[test]
fn question_answering() {
    let options = |case: &Case| {
        let defaults = QuestionAnsweringOptions::default();
        QuestionAnsweringOptions::default()
            .top_k(case.number("top_k").unwrap_or(defaults.top_k))
            .max_answer_len(
                case.number("max_answer_len")
                    .unwrap_or(defaults.max_answer_len),
            )
            .handle_impossible_answer(case.flag("handle_impossible_answer"))
            .align_to_words(case.options["align_to_words"].as_bool().unwrap_or(true))
            .doc_stride(case.number("doc_stride"))
            .max_length(case.number("max_seq_len"))
    };
    let question = |it: &Value| {
        let field = |name: &str| it[name].as_str().unwrap().to_owned();
        Question::from((field("question"), field("context")))
    };
    // transformers' list is flatter where there is one answer.
    let shown = |_: &Case, answers: Vec<_>| match answers.as_slice() {
        [answer] => json!(answer),
        answers => json!(answers),
    };
    let cases = cases("question-answering");
    check::<QuestionAnswering>(&cases, Head::QuestionAnswering, options, question, shown);
}

#[test]
fn multiple_choice() {
    let choices = |it: &Value| Choices {
        text: it["text"].as_str().unwrap().to_owned(),
        choices: serde_json::from_value(it["choices"].clone()).unwrap(),
    };
    let shown = |_: &Case, it: Choice| {
        let best = it.scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert_eq!(it.scores[it.choice], best, "{it:?}");
        json!(it.scores)
    };
    let options = |_: &Case| MultipleChoiceOptions::default();
    let cases = cases("multiple-choice");
    check::<MultipleChoice>(&cases, Head::MultipleChoice, options, choices, shown);
}

#[test]
fn questions_with_other_numbers_of_choices_in_a_batch_are_answered_as_alone() {
    let ask = [
        Choices::from(("天气", ["好", "不好", "很好"])),
        Choices::from(("酒店", ["旧", "新"])),
    ];
    let model = &cases("multiple-choice")[0].model;
    for Engine { kind: engine, .. } in ENGINES {
        let options = MultipleChoiceOptions::default();
        let pipeline: Pipeline<MultipleChoice> =
            pipeline(model, Head::MultipleChoice, engine, options);
        let together = pipeline.run(ask.clone()).unwrap();
        for (question, found) in pairs("questions", ask.clone(), together) {
            let alone = pipeline.run([question.clone()]).unwrap().remove(0);
            assert_eq!(found.scores.len(), question.choices.len(), "{question:?}");
            for (expected, found) in pairs("scores", alone.scores, found.scores) {
                let apart = (expected - found).abs();
                assert!(apart < 1e-5, "{question:?}: {found}, alone {expected}");
            }
        }
    }
}

#[test]
fn padding_in_a_text_is_left_out_of_what_is_filled_in() {
    let model = &cases("fill-mask")[0].model;
    for Engine { kind: engine, .. } in ENGINES {
        let options = FillMaskOptions::default();
        let pipeline: Pipeline<FillMask> = pipeline(model, Head::MaskedLm, engine, options);
        let gaps = pipeline
            .run([Text::from("我[PAD][MASK]你[MASK]")])
            .unwrap()
            .remove(0);
        // With two gaps special tokens stay in the sequence, so that they are seen.
        assert_eq!(gaps.len(), 2, "{gaps:?}");
        for fill in gaps.iter().flatten() {
            assert!(!fill.sequence.contains("[PAD]"), "{fill:?}");
        }
    }
}

#[test]
fn next_sentence() {
    for head in [Head::NextSentence, Head::Pretraining] {
        let options = |_: &Case| NextSentenceOptions::default();
        let cases = cases("next-sentence");
        check::<NextSentence>(&cases, head, options, text, |_, it| json!(it.is_next));
    }
}

#[test]
fn pretraining() {
    let options = |case: &Case| FillMaskOptions::default().top_k(case.number("top_k").unwrap());
    let cases = cases("pretraining");
    check::<Pretraining>(
        &cases,
        Head::Pretraining,
        options,
        text,
        |_, it| json!({"fills": fills(&it.fills), "follows": it.is_next}),
    );
}

#[test]
fn feature_extraction_of_tokens() {
    let mut cases = cases("feature-extraction");
    cases.retain(|case| case.options["pooling"].is_null());
    let options = |_: &Case| FeatureExtractionOptions::default();
    check::<FeatureExtraction>(&cases, Head::Base, options, text, |_, vectors| {
        vectors
            .rows()
            .into_iter()
            .map(|row| json!(row.to_vec()))
            .collect()
    });
}

#[test]
fn feature_extraction_of_texts() {
    let mut cases = cases("feature-extraction");
    cases.retain(|case| !case.options["pooling"].is_null());
    let options = |case: &Case| {
        EmbeddingOptions::default()
            .pooling(match case.options["pooling"].as_str().unwrap() {
                "cls" => Pooling::Cls,
                "mean" => Pooling::Mean,
                _ => Pooling::Max,
            })
            .normalize(case.flag("normalize"))
    };
    check::<Embedding>(&cases, Head::Base, options, text, |_, it| {
        json!(it.to_vec())
    });
}
