//! Exported models that a tool changed afterwards: axes fixed, metadata dropped.

use std::fs;
use std::path::{Path, PathBuf};

use nezha_graphs::proto::{DimensionProto, DimensionValue, ModelProto};
use nezha_graphs::{Head, axes, decode_model, error_chain};
use nezha_runtime::task::{
    Aggregation, Embedding, EmbeddingOptions, FillMask, FillMaskOptions, MultipleChoice,
    MultipleChoiceOptions, NextSentence, QuestionAnswering, QuestionAnsweringOptions, Task,
    TextClassification, TextClassificationOptions, TokenClassification, TokenClassificationOptions,
};
use nezha_runtime::{
    EngineChoice, EngineKind, EngineOptions, Pipeline, PipelineError, PipelineNote,
};
use prost::Message;
use tempfile::TempDir;
use testkit::engines::{ENGINES, Engine};

use crate::artifacts::{exported, pipeline};

/// A copy of an exported folder whose model is edited.
fn edited(folder: &Path, edit: impl FnOnce(&mut ModelProto)) -> TempDir {
    let copy = TempDir::new().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    let path = copy.path().join("model.onnx");
    let mut model = decode_model(fs::read(&path).unwrap().into()).unwrap();
    edit(&mut model);
    fs::write(&path, model.encode_to_vec()).unwrap();
    copy
}

/// What `onnxruntime.tools.make_dynamic_shape_fixed --dim_param` does: the axis has a size wherever
/// it has its name.
fn fix(model: &mut ModelProto, sizes: &[(&str, i64)]) {
    let graph = model.graph.as_mut().unwrap();
    let values = [&mut graph.input, &mut graph.output, &mut graph.value_info];
    let types = values
        .into_iter()
        .flatten()
        .filter_map(|it| it.r#type.as_mut());
    let shapes = types.filter_map(|it| it.tensor_type.as_mut()?.shape.as_mut());
    for dim in shapes.flat_map(|it| &mut it.dim) {
        let DimensionProto { value } = dim;
        if let Some(DimensionValue::DimParam(name)) = value
            && let Some((_, size)) = sizes.iter().find(|(axis, _)| axis == name)
        {
            *value = Some(DimensionValue::DimValue(*size));
        }
    }
}

fn fixed(model: &str, head: Head, sizes: &[(&str, i64)]) -> TempDir {
    edited(&exported(model, head), |model| fix(model, sizes))
}

fn load<T: Task>(folder: &Path, engine: EngineKind, options: T::Options) -> Pipeline<T> {
    Pipeline::builder()
        .engine(engine)
        .options(options)
        .load(folder)
        .unwrap_or_else(|error| panic!("{}, {engine}: {error}", folder.display()))
}

fn assert_close(found: &[f32], expected: &[f32], context: &str) {
    assert_eq!(found.len(), expected.len(), "{context}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let close = (found - expected).abs() <= 1e-5;
        assert!(close, "{context}[{index}]: {found}, expected {expected}");
    }
}

const REVIEWS: [&str; 5] = [
    "房间很干净，服务热情，下次还会住。",
    "后悔",
    "客服不理人，后悔买了。",
    "",
    "这家酒店的服务太差了，房间又脏又吵，再也不会来了。",
];

#[test]
fn a_classifier_with_fixed_axes_pads_rows_and_batches_and_answers_the_same() {
    let head = Head::SequenceClassification;
    let model = "nezha-tiny-zh-sentiment";
    let axes = [(axes::BATCH, 3), (axes::SEQUENCE, 32)];
    // The batch alone, the sequence alone, both.
    for sizes in [&axes[..1], &axes[1..], &axes[..]] {
        let folder = fixed(model, head, sizes);
        for Engine { kind: engine, .. } in ENGINES {
            let context = format!("{sizes:?} on {engine}");
            let options = TextClassificationOptions::default();
            let dynamic: Pipeline<TextClassification> =
                pipeline(model, head, engine, options.clone());
            let pipeline: Pipeline<TextClassification> = load(folder.path(), engine, options);
            assert_eq!(pipeline.notes(), []);
            let expected = dynamic.run(REVIEWS).unwrap();
            let found = pipeline.run(REVIEWS).unwrap();
            assert_eq!(found.len(), expected.len(), "{context}");
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found[0].label, expected[0].label, "{context}");
                assert_close(&[found[0].score], &[expected[0].score], &context);
            }
        }
    }
}

#[test]
fn a_text_beyond_the_fixed_axis_is_cut_there_and_that_is_told() {
    let (model, head) = ("nezha-tiny-zh-sentiment", Head::SequenceClassification);
    let folder = fixed(model, head, &[(axes::SEQUENCE, 12)]);
    for Engine { kind: engine, .. } in ENGINES {
        let options = |max_length| TextClassificationOptions::default().max_length(max_length);
        let dynamic: Pipeline<TextClassification> =
            pipeline(model, head, engine, options(Some(12)));
        // A longest sequence beyond the axis is no way around it.
        let pipeline: Pipeline<TextClassification> =
            load(folder.path(), engine, options(Some(100)));
        assert_eq!(pipeline.max_length(None), 12);
        let mut answers = pipeline.stream([REVIEWS[4]]);
        let found = answers.next().unwrap().unwrap();
        assert!(answers.truncated());
        let expected = dynamic.run([REVIEWS[4]]).unwrap().remove(0);
        assert_close(&[found[0].score], &[expected[0].score], &engine.to_string());
    }
}

#[test]
fn windows_of_a_long_text_have_the_fixed_length() {
    let (model, head) = ("nezha-tiny-zh-ner", Head::TokenClassification);
    let text =
        "国务院总理李鹏今天在人民大会堂会见了日本首相桥本龙太郎。新华社记者李明报道。".repeat(3);
    let folder = fixed(model, head, &[(axes::BATCH, 2), (axes::SEQUENCE, 24)]);
    for Engine { kind: engine, .. } in ENGINES {
        let options = |max_length| {
            TokenClassificationOptions::default()
                .aggregation(Aggregation::Simple)
                .stride(8)
                .max_length(max_length)
        };
        let dynamic: Pipeline<TokenClassification> =
            pipeline(model, head, engine, options(Some(24)));
        let pipeline: Pipeline<TokenClassification> = load(folder.path(), engine, options(None));
        let expected = dynamic.run([&text]).unwrap().remove(0);
        let found = pipeline.run([&text]).unwrap().remove(0);
        let spans = |it: &[nezha_runtime::task::Entity]| -> Vec<(String, usize, usize)> {
            let spans = it.iter().map(|it| (it.label.clone(), it.start, it.end));
            spans.collect()
        };
        assert!(
            expected.last().is_some_and(|it| it.end > 80),
            "{expected:?}"
        );
        assert_eq!(spans(&found), spans(&expected), "{engine}");
    }
}

#[test]
fn a_question_is_asked_in_windows_of_the_fixed_length() {
    let (model, head) = ("question-answering", Head::QuestionAnswering);
    let context = "The hotel rooms was unbelievable，这家酒店在北京，房间很大。".repeat(3);
    let folder = fixed(model, head, &[(axes::SEQUENCE, 30)]);
    for Engine { kind: engine, .. } in ENGINES {
        let options = |max_length| {
            QuestionAnsweringOptions::default()
                .top_k(3)
                .max_length(max_length)
        };
        let dynamic: Pipeline<QuestionAnswering> = pipeline(model, head, engine, options(Some(30)));
        let pipeline: Pipeline<QuestionAnswering> = load(folder.path(), engine, options(None));
        let question = ("the hotel", context.as_str());
        let expected = dynamic.run([question]).unwrap().remove(0);
        let found = pipeline.run([question]).unwrap().remove(0);
        assert_eq!(found.len(), expected.len(), "{engine}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(
                (found.start, found.end),
                (expected.start, expected.end),
                "{engine}"
            );
            assert_close(&[found.score], &[expected.score], &engine.to_string());
        }
    }
}

#[test]
fn choices_are_filled_up_to_the_fixed_axis_and_more_are_refused() {
    let (model, head) = ("multiple-choice", Head::MultipleChoice);
    let sizes = [(axes::BATCH, 2), (axes::CHOICES, 3), (axes::SEQUENCE, 20)];
    let folder = fixed(model, head, &sizes);
    for Engine { kind: engine, .. } in ENGINES {
        let options = MultipleChoiceOptions::default();
        let dynamic: Pipeline<MultipleChoice> = pipeline(model, head, engine, options.clone());
        let pipeline: Pipeline<MultipleChoice> = load(folder.path(), engine, options);
        for choices in [
            vec!["great"],
            vec!["great", "a win"],
            vec!["a", "b", "great"],
        ] {
            let question = ("the hotel was", choices);
            let expected = dynamic.run([question.clone()]).unwrap().remove(0);
            let found = pipeline.run([question]).unwrap().remove(0);
            assert_eq!(found.choice, expected.choice, "{engine}");
            assert_close(&found.scores, &expected.scores, &engine.to_string());
        }
        let error = pipeline
            .run([("the hotel", ["a", "b", "c", "d"])])
            .unwrap_err();
        assert!(
            error.to_string().contains("4 choices, expected at most 3"),
            "{error}"
        );
    }
}

#[test]
fn gaps_and_means_do_not_see_the_padding_of_a_fixed_axis() {
    let sizes = [(axes::BATCH, 2), (axes::SEQUENCE, 40)];
    let words = fixed("nezha-tiny-zh", Head::MaskedLm, &sizes);
    let vectors = fixed("nezha-tiny-zh", Head::Base, &sizes);
    for Engine { kind: engine, .. } in ENGINES {
        let fill: Pipeline<FillMask> = load(words.path(), engine, FillMaskOptions::default());
        let fills = fill
            .run(["这家[MASK]店的服务态度很好。"])
            .unwrap()
            .remove(0);
        assert_eq!(fills[0][0].token_str, "酒", "{engine}");
        let options = EmbeddingOptions::default();
        let dynamic: Pipeline<Embedding> =
            pipeline("nezha-tiny-zh", Head::Base, engine, options.clone());
        let mean: Pipeline<Embedding> = load(vectors.path(), engine, options);
        let expected = dynamic.run([REVIEWS[0]]).unwrap().remove(0);
        let found = mean.run([REVIEWS[0]]).unwrap().remove(0);
        let context = format!("mean on {engine}");
        assert_close(
            found.as_slice().unwrap(),
            expected.as_slice().unwrap(),
            &context,
        );
    }
}

/// A copy of an exported folder whose model has lost its metadata, as onnx-graphsurgeon leaves it.
fn without_metadata(model: &str, head: Head) -> TempDir {
    edited(&exported(model, head), |model| model.metadata_props.clear())
}

fn assert_described<T: Task>(folder: &TempDir, head: Head) -> Pipeline<T>
where
    T::Options: Default,
{
    let pipeline: Pipeline<T> = load(folder.path(), EngineKind::OrtCpu, T::Options::default());
    let path: PathBuf = folder.path().join("model.onnx");
    assert_eq!(pipeline.notes(), [PipelineNote::NoMetadata { path, head }]);
    pipeline
}

#[test]
fn a_model_without_metadata_answers_with_the_config_beside_it() {
    let head = Head::SequenceClassification;
    let folder = without_metadata("nezha-tiny-zh-sentiment", head);
    let classifier: Pipeline<TextClassification> = assert_described(&folder, head);
    let answer = classifier.run([REVIEWS[0]]).unwrap().remove(0);
    assert_eq!(answer[0].label, "positive");
    let note = classifier.notes()[0].to_string();
    for expected in [
        "metadata of nezha-onnx is missing",
        "sequence-classification",
        "config.json",
    ] {
        assert!(note.contains(expected), "expected {expected:?} in {note}");
    }

    let head = Head::TokenClassification;
    let folder = without_metadata("nezha-tiny-zh-ner", head);
    let names: Pipeline<TokenClassification> = assert_described(&folder, head);
    assert!(!names.run(["国务院总理李鹏今天来了"]).unwrap()[0].is_empty());
}

#[test]
fn outputs_tell_the_heads_apart_where_the_config_names_another_class() {
    // The checkpoint is a NezhaForPreTraining, whichever head was exported.
    let model = "nezha-tiny-zh";
    assert_described::<FillMask>(&without_metadata(model, Head::MaskedLm), Head::MaskedLm);
    let folder = without_metadata(model, Head::NextSentence);
    assert_described::<NextSentence>(&folder, Head::NextSentence);
    assert_described::<Embedding>(&without_metadata(model, Head::Base), Head::Base);
    let folder = without_metadata(model, Head::Pretraining);
    assert_described::<FillMask>(&folder, Head::Pretraining);
    let folder = without_metadata("question-answering", Head::QuestionAnswering);
    assert_described::<QuestionAnswering>(&folder, Head::QuestionAnswering);
    let folder = without_metadata("multiple-choice", Head::MultipleChoice);
    assert_described::<MultipleChoice>(&folder, Head::MultipleChoice);
}

#[test]
fn a_model_without_metadata_and_without_a_sound_config_is_refused() {
    let head = Head::SequenceClassification;
    let folder = without_metadata("nezha-tiny-zh-sentiment", head);
    let refused = || {
        let choice = EngineChoice::Only(EngineKind::OrtCpu);
        let options = EngineOptions::default();
        let found = Pipeline::<TextClassification>::builder()
            .engine(choice)
            .engine_options(options.clone())
            .load(folder.path());
        found.map(drop).unwrap_err()
    };
    let config = folder.path().join("config.json");
    fs::write(&config, r#"{"hidden_size": 0}"#).unwrap();
    let error = refused();
    assert!(matches!(error, PipelineError::Config { .. }), "{error}");
    let said = error_chain(&error);
    assert!(said.contains("`hidden_size` is 0"), "{said}");
    fs::remove_file(&config).unwrap();
    let error = refused();
    assert!(matches!(error, PipelineError::NoMetadata { .. }), "{error}");
    assert!(
        error.to_string().contains("no config.json beside it"),
        "{error}"
    );
}

#[test]
fn a_model_without_metadata_of_another_head_is_refused_by_name() {
    let folder = without_metadata("nezha-tiny-zh-ner", Head::TokenClassification);
    let choice = EngineChoice::Only(EngineKind::OrtCpu);
    let found = Pipeline::<TextClassification>::builder()
        .engine(choice)
        .load(folder.path());
    let error = found.map(drop).unwrap_err().to_string();
    assert!(
        error.contains("the head is token-classification"),
        "{error}"
    );
}
