//! Which heads a checkpoint gives, and what is said of the others.

use std::path::Path;

use nezha_exporter::graph::{NoWeights, WeightError};
use nezha_exporter::nezha::{self, BuildError};
use nezha_exporter::{ExportOptions, Heads, Survey, Unavailable, Warning};
use nezha_graphs::{GraphOptions, Head};
use serde_json::json;

use crate::support::{edited, exported, fixture, listing, open, refusal, zeros};

fn all() -> ExportOptions {
    ExportOptions::default().heads(Heads::All)
}

fn named(heads: &[Head]) -> ExportOptions {
    ExportOptions::default().heads(Heads::Named(heads.to_vec()))
}

/// The heads that exporting all of a checkpoint gives; and those it skips, with the reasons.
fn split(checkpoint: &Path) -> (Vec<Head>, Vec<(Head, Unavailable)>) {
    let target = tempfile::tempdir().unwrap();
    let exported = exported(checkpoint, target.path(), &all());
    let given = exported.artifacts.iter().map(|it| it.head).collect();
    (given, exported.skipped)
}

#[test]
fn every_head_model_gives_its_own_head_and_those_that_share_its_tensors() {
    use Head::{
        Base, MaskedLm, MultipleChoice, NextSentence, Pretraining, QuestionAnswering,
        SequenceClassification, TokenClassification,
    };
    for (trained, expected) in [
        (Base, vec![Base]),
        (Pretraining, vec![Base, Pretraining, MaskedLm, NextSentence]),
        (MaskedLm, vec![Base, MaskedLm]),
        (NextSentence, vec![Base, NextSentence]),
        (SequenceClassification, vec![Base, SequenceClassification]),
        (MultipleChoice, vec![Base, MultipleChoice]),
        (TokenClassification, vec![Base, TokenClassification]),
        (QuestionAnswering, vec![Base, QuestionAnswering]),
    ] {
        for configuration in ["reach-4", "untied-regression"] {
            let checkpoint = fixture(&format!("{configuration}/{trained}"));
            let (given, skipped) = split(&checkpoint);
            assert_eq!(given, expected, "{}", checkpoint.display());
            assert_eq!(given.len() + skipped.len(), Head::ALL.len());
            assert_eq!(given, Survey::new(&open(&checkpoint)).unwrap().available());
        }
    }
}

#[test]
fn all_heads_become_a_file_each_and_one_head_becomes_model_onnx() {
    let checkpoint = fixture("reach-4/pretraining");
    let target = tempfile::tempdir().unwrap();
    let several = exported(&checkpoint, target.path(), &all());
    let weights = several.weights[0].path.clone();
    let weights = weights.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(
        listing(target.path()),
        [
            "base.onnx",
            "config.json",
            "masked-lm.onnx",
            "next-sentence.onnx",
            "pretraining.onnx",
            &weights,
        ]
    );

    let target = tempfile::tempdir().unwrap();
    exported(&checkpoint, target.path(), &named(&[Head::MaskedLm]));
    assert_eq!(listing(target.path()), ["config.json", "model.onnx"]);

    let target = tempfile::tempdir().unwrap();
    let twice = named(&[Head::MaskedLm, Head::Base, Head::MaskedLm]);
    let heads: Vec<Head> = exported(&checkpoint, target.path(), &twice)
        .artifacts
        .iter()
        .map(|it| it.head)
        .collect();
    assert_eq!(heads, [Head::MaskedLm, Head::Base]);
}

#[test]
fn a_head_that_was_not_trained_is_refused_with_the_names_of_all_missing_tensors() {
    let target = tempfile::tempdir().unwrap();
    let options = named(&[Head::QuestionAnswering]);
    let message = refusal(&fixture("reach-4/masked-lm"), target.path(), &options);
    for part in [
        "question-answering",
        "not trained in a checkpoint of NezhaForMaskedLM",
        "'qa_outputs.weight' [2, 16]",
        "'qa_outputs.bias' [2]",
        "this checkpoint can give base, masked-lm",
    ] {
        assert!(message.contains(part), "no \"{part}\" in: {message}");
    }
    assert!(listing(target.path()).is_empty());
}

#[test]
fn a_classifier_belongs_to_the_class_that_architectures_names() {
    let (_, skipped) = split(&fixture("reach-4/sequence-classification"));
    let claimed = Unavailable::Claimed {
        by: Head::SequenceClassification,
    };
    for head in [Head::MultipleChoice, Head::TokenClassification] {
        assert!(skipped.contains(&(head, claimed.clone())), "{skipped:?}");
    }
    let target = tempfile::tempdir().unwrap();
    let message = refusal(
        &fixture("reach-4/sequence-classification"),
        target.path(),
        &named(&[Head::TokenClassification]),
    );
    assert!(
        message.contains("trained as NezhaForSequenceClassification"),
        "{message}"
    );
}

#[test]
fn a_classifier_that_nobody_claims_is_exported_only_by_name() {
    let checkpoint = edited("reach-4/token-classification", |config, _| {
        config["architectures"] = json!(["NezhaModel"]);
    });
    let (given, skipped) = split(checkpoint.path());
    assert_eq!(given, [Head::Base]);
    let unclaimed = (Head::TokenClassification, Unavailable::Unclaimed);
    assert!(skipped.contains(&unclaimed), "{skipped:?}");

    let target = tempfile::tempdir().unwrap();
    let head = Head::TokenClassification;
    let exported = exported(checkpoint.path(), target.path(), &named(&[head]));
    let assumed = Warning::UnclaimedClassifier { head };
    assert!(
        exported.warnings.contains(&assumed),
        "{:?}",
        exported.warnings
    );
}

#[test]
fn an_option_that_is_another_heads_skips_a_head_of_all_and_refuses_one_by_name() {
    let mut options = all();
    options.graph.top_k = Some(3);
    let target = tempfile::tempdir().unwrap();
    let checkpoint = fixture("reach-4/pretraining");
    let given = exported(&checkpoint, target.path(), &options);
    let heads: Vec<Head> = given.artifacts.iter().map(|it| it.head).collect();
    assert_eq!(heads, [Head::MaskedLm]);
    let reason = &given.skipped[0];
    assert_eq!(reason.0, Head::Base);
    assert!(reason.1.to_string().contains("'top_k'"), "{}", reason.1);

    options.heads = Heads::Named(vec![Head::Base]);
    let target = tempfile::tempdir().unwrap();
    let message = refusal(&checkpoint, target.path(), &options);
    assert!(message.contains("'top_k'"), "{message}");

    options.heads = Heads::All;
    let message = refusal(&fixture("reach-4/base"), target.path(), &options);
    for part in [
        "no head can be exported",
        "base: option 'top_k'",
        "masked-lm: not trained",
    ] {
        assert!(message.contains(part), "no \"{part}\" in: {message}");
    }
    assert!(listing(target.path()).is_empty());
}

#[test]
fn a_base_model_without_pooler_is_exported_with_a_warning() {
    let checkpoint = edited("reach-4/base", |_, tensors| {
        tensors.retain(|name, _| !name.starts_with("pooler."));
    });
    let target = tempfile::tempdir().unwrap();
    let options = ExportOptions::default();
    let exported = exported(checkpoint.path(), target.path(), &options);
    assert!(exported.warnings.contains(&Warning::NoPooler));

    let target = tempfile::tempdir().unwrap();
    let options = named(&[Head::NextSentence]);
    let message = refusal(checkpoint.path(), target.path(), &options);
    assert!(message.contains("'nezha.pooler.dense.weight'"), "{message}");
}

#[test]
fn a_missing_tensor_of_the_encoder_is_no_question_of_heads() {
    let missing = "nezha.encoder.layer.1.output.dense.weight";
    let checkpoint = edited("reach-4/masked-lm", |_, tensors| {
        tensors.remove(missing).unwrap();
    });
    for options in [all(), ExportOptions::default()] {
        let target = tempfile::tempdir().unwrap();
        let message = refusal(checkpoint.path(), target.path(), &options);
        assert!(message.contains("incomplete"), "{message}");
        assert!(message.contains(missing), "{message}");
        assert!(listing(target.path()).is_empty());
    }
}

#[test]
fn another_models_tensors_are_told_from_a_head_that_was_not_trained() {
    let checkpoint = edited("reach-4/masked-lm", |_, tensors| {
        let renamed = std::mem::take(tensors).into_iter();
        *tensors = renamed
            .map(|(name, tensor)| (name.replace(".layer.", ".block."), tensor))
            .collect();
    });
    let target = tempfile::tempdir().unwrap();
    let message = refusal(checkpoint.path(), target.path(), &ExportOptions::default());
    assert!(message.contains("another model's checkpoint"), "{message}");
    // 32 are missing, and four of them named.
    assert!(message.contains("and 28 more"), "{message}");
}

#[test]
fn a_misshapen_tensor_is_named_with_both_shapes() {
    let name = "nezha.encoder.layer.0.attention.self.key.weight";
    let checkpoint = edited("reach-4/masked-lm", |_, tensors| {
        tensors.insert(name.to_owned(), zeros(&[16, 12]));
    });
    let target = tempfile::tempdir().unwrap();
    let options = ExportOptions::default();
    let message = refusal(checkpoint.path(), target.path(), &options);
    for part in [name, "[16, 12]", "[16, 16]", "config.json"] {
        assert!(message.contains(part), "no \"{part}\" in: {message}");
    }
    assert!(listing(target.path()).is_empty());
}

#[test]
fn every_misshapen_tensor_is_named_and_those_that_are_missing_besides() {
    let checkpoint = edited("reach-4/masked-lm", |_, tensors| {
        for (layer, columns) in [(0, 12), (1, 20)] {
            let name = format!("nezha.encoder.layer.{layer}.attention.self.key.weight");
            tensors.insert(name, zeros(&[16, columns]));
        }
        tensors.remove("cls.predictions.bias");
    });
    let target = tempfile::tempdir().unwrap();
    let message = refusal(checkpoint.path(), target.path(), &ExportOptions::default());
    for part in [
        "'nezha.encoder.layer.0.attention.self.key.weight' has shape [16, 12]",
        "'nezha.encoder.layer.1.attention.self.key.weight' has shape [16, 20]",
        "there is no 'cls.predictions.bias' [47]",
    ] {
        assert!(message.contains(part), "no \"{part}\" in: {message}");
    }
}

#[test]
fn a_graph_over_no_weights_at_all_names_each_that_it_needs_once() {
    for head in Head::ALL {
        let checkpoint = open(&fixture(&format!("reach-4/{head}")));
        let config = checkpoint.config();
        let options = GraphOptions::default();
        let built = nezha::build(&NoWeights, config, head, &options, 17);
        let faults = match built {
            Err(BuildError::Weights { faults, .. }) => faults,
            other => panic!("{head}: {other:?}"),
        };
        let mut missing: Vec<(String, Vec<usize>)> = faults
            .into_iter()
            .map(|fault| match fault {
                WeightError::Missing { name, expected } => (name, expected),
                other => panic!("{head}: {other}"),
            })
            .collect();
        missing.sort();
        let weights = checkpoint.weights().iter();
        // The decoder is the word embeddings.
        let needed = weights.filter(|it| !it.name.starts_with("cls.predictions.decoder."));
        let needed: Vec<_> = needed
            .map(|it| (it.name.clone(), it.shape.clone()))
            .collect();
        assert_eq!(missing, needed, "{head}");
    }
}

#[test]
fn unknown_tensors_are_a_warning_and_known_buffers_are_not() {
    let checkpoint = edited("reach-4/masked-lm", |_, tensors| {
        for name in [
            "adapter.weight",
            "nezha.embeddings.token_type_ids",
            "nezha.embeddings.position_ids",
            "cls.predictions.decoder.weight",
            "cls.predictions.decoder.bias",
            "cls.seq_relationship.weight",
        ] {
            tensors.insert(name.to_owned(), zeros(&[2, 16]));
        }
        tensors.insert("cls.predictions.decoder.bias".to_owned(), zeros(&[47]));
    });
    let target = tempfile::tempdir().unwrap();
    let options = ExportOptions::default();
    let exported = exported(checkpoint.path(), target.path(), &options);
    let expected = Warning::UnknownTensors {
        names: vec!["adapter.weight".to_owned()],
    };
    assert_eq!(exported.warnings, [expected]);
}

#[test]
fn a_config_without_a_known_class_lists_the_heads_that_the_tensors_allow() {
    for (classes, found) in [(json!(["MyModel"]), "MyModel"), (json!(null), "found []")] {
        let checkpoint = edited("reach-4/pretraining", |config, _| {
            config["architectures"] = classes;
        });
        let target = tempfile::tempdir().unwrap();
        let options = ExportOptions::default();
        let message = refusal(checkpoint.path(), target.path(), &options);
        let heads = "can give base, pretraining, masked-lm, next-sentence";
        for part in ["architectures", found, heads] {
            assert!(message.contains(part), "no \"{part}\" in: {message}");
        }
        assert!(!message.contains("--"), "an option's name in: {message}");
        assert!(listing(target.path()).is_empty());
        exported(checkpoint.path(), target.path(), &named(&[Head::MaskedLm]));
    }
}

#[test]
fn a_config_without_a_known_class_gives_the_only_head_that_the_tensors_allow() {
    for head in [
        Head::Base,
        Head::MaskedLm,
        Head::NextSentence,
        Head::TokenClassification,
        Head::QuestionAnswering,
    ] {
        let checkpoint = edited(&format!("reach-4/{head}"), |config, _| {
            config["architectures"] = json!(["MyModel"]);
        });
        let target = tempfile::tempdir().unwrap();
        let options = ExportOptions::default();
        let exported = exported(checkpoint.path(), target.path(), &options);
        let heads: Vec<Head> = exported.artifacts.iter().map(|it| it.head).collect();
        assert_eq!(heads, [head]);
        assert_eq!(
            exported.warnings,
            [Warning::HeadFromTensors { head }],
            "{head}"
        );
    }
}
