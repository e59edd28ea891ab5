//! State dicts wherever they are: under any key, behind any prefix, in a file of any name. The
//! files in `checkpoints/wrapped` were written by `wrapped.py`.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

#[path = "support/bundle.rs"]
mod bundle;

use std::fs;
use std::path::{Path, PathBuf};

use bundle::{
    Tensor, assert_has, assert_says, open, open_with, refused, tensors_of, write_safetensors,
};
use nezha_exporter::checkpoint::{Dialect, Format, Note, OpenOptions};
use nezha_exporter::{ExportOptions, Heads, Survey, export};
use nezha_graphs::Head;
use tempfile::TempDir;

const QUERY: &str = "nezha.encoder.layer.0.attention.self.query.weight";

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints")
}

fn wrapped(case: &str) -> PathBuf {
    samples().join("wrapped").join(case)
}

fn plain() -> PathBuf {
    samples().join("safetensors")
}

fn prefix(prefix: &str) -> Note {
    Note::Prefix {
        prefix: prefix.to_owned(),
    }
}

fn key(key: &str) -> Note {
    Note::StateDict {
        key: key.to_owned(),
    }
}

/// A copy of the plain checkpoint with its tensors changed and its config completed.
fn changed(
    change: impl FnOnce(Vec<Tensor>) -> Vec<Tensor>,
    fields: &[(&str, serde_json::Value)],
) -> TempDir {
    let folder = TempDir::new().unwrap();
    let text = fs::read_to_string(plain().join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (field, value) in fields {
        config[*field] = value.clone();
    }
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let tensors = change(tensors_of(&plain()));
    write_safetensors(&folder.path().join("model.safetensors"), &tensors);
    folder
}

fn renamed(theirs: &str, ours: &str) -> TempDir {
    let rename = |tensors: Vec<Tensor>| {
        let renamed = tensors
            .iter()
            .map(|it| it.named(it.name.replacen(ours, theirs, 1)));
        renamed.collect()
    };
    changed(rename, &[])
}

#[test]
fn whatever_torch_save_was_given_its_state_dict_is_found() {
    let expected = open(&plain());
    for (case, notes) in [
        ("key", vec![key("state_dict")]),
        ("key-twice", vec![key("checkpoint.net")]),
        ("key-of-numbers", vec![key("0")]),
        ("training", vec![key("model_state_dict")]),
        ("training-legacy", vec![key("model")]),
        ("lightning", vec![key("state_dict"), prefix("model.nezha.")]),
        ("deepspeed", vec![key("module"), prefix("module.nezha.")]),
        ("any-name", vec![]),
        ("any-ending", vec![]),
        ("no-ending", vec![]),
        ("in-parts", vec![key("encoder"), prefix("")]),
        ("module", vec![prefix("bert_model.")]),
        ("module-under-a-key", vec![prefix("net.backbone.nezha.")]),
        ("among-others", vec![]),
    ] {
        let found = open(&wrapped(case));
        assert_has(&found, &expected, case);
        assert_eq!(found.format(), Format::Torch, "{case}");
        assert_eq!(found.weights().len(), expected.weights().len(), "{case}");
        let told = found
            .notes()
            .iter()
            .filter(|it| !matches!(it, Note::Beside { .. }));
        assert_eq!(told.cloned().collect::<Vec<_>>(), notes, "{case}");
    }
}

#[test]
fn what_lies_beside_a_state_dict_is_counted_and_left() {
    let found = open(&wrapped("training"));
    let beside = found
        .notes()
        .iter()
        .find(|it| matches!(it, Note::Beside { .. }));
    let expected = Note::Beside {
        count: 2,
        first: "optimizer_state_dict.state.0.exp_avg".to_owned(),
    };
    assert_eq!(beside, Some(&expected));
}

#[test]
fn a_file_of_any_name_is_opened_by_its_own_path() {
    let expected = open(&plain());
    for file in [
        "any-ending/pytorch_model.bin.ep3",
        "no-ending/weights",
        "key-of-numbers/model.pkl",
        "lightning/epoch=3.ckpt",
        "key-twice/last.pth.tar",
    ] {
        assert_has(&open(&wrapped(file)), &expected, file);
    }
}

#[test]
fn a_prefix_is_recognised_by_what_follows_it() {
    let expected = open(&plain());
    for written in [
        "_orig_mod.nezha.",
        "module._orig_mod.nezha.",
        "module.module.bert.",
        "model.",
        "encoder.",
        "net.bert.",
        "backbone.",
        "bert_model.",
        "ptm.",
        "nobody.thought.of.this.",
        "nezha.nezha.",
        "模型.",
    ] {
        let folder = renamed(written, "nezha.");
        let found = open(folder.path());
        assert_has(&found, &expected, written);
        assert_eq!(found.notes(), [prefix(written)], "{written}");
    }
}

/// The heads' modules are found around the encoder, the nearest first.
#[test]
fn heads_are_found_around_their_encoder() {
    let expected = open(&plain());
    let wrap = |outer: &str| {
        let outer = outer.to_owned();
        changed(
            move |tensors| {
                tensors
                    .iter()
                    .map(|it| it.named(format!("{outer}{}", it.name)))
                    .collect()
            },
            &[],
        )
    };
    for outer in ["model.", "a.b.c."] {
        let folder = wrap(outer);
        let found = open(folder.path());
        assert_has(&found, &expected, outer);
        assert_eq!(found.weights().len(), expected.weights().len(), "{outer}");
    }
    let two = changed(
        |tensors| {
            let far = Tensor::f32("classifier.weight", &[3, 8], &[2.0; 24]);
            let near = Tensor::f32("model.classifier.weight", &[3, 8], &[1.0; 24]);
            let wrapped = tensors
                .iter()
                .map(|it| it.named(format!("model.{}", it.name)));
            wrapped.chain([far, near]).collect()
        },
        &[],
    );
    assert_eq!(
        open(two.path()).read_f32("classifier.weight").unwrap(),
        [1.0; 24]
    );
}

#[test]
fn of_two_encoders_an_option_chooses_one() {
    let both = changed(
        |tensors| {
            let other = tensors.iter().filter(|it| it.name.starts_with("nezha."));
            let other = other.map(|it| {
                let zeros = vec![0; it.bytes.len()];
                Tensor {
                    bytes: zeros,
                    ..it.named(it.name.replace("nezha.", "roberta."))
                }
            });
            let other: Vec<_> = other.collect();
            tensors.into_iter().chain(other).collect()
        },
        &[],
    );
    let said = refused(both.path(), &OpenOptions::default());
    assert_says(&said, &["'nezha.'", "'roberta.'", "`prefix`"]);
    let with = |prefix: &str| OpenOptions::default().prefix(prefix);
    let expected = open(&plain());
    for written in ["nezha.", "nezha"] {
        assert_has(
            &open_with(both.path(), &with(written)).unwrap(),
            &expected,
            written,
        );
    }
    let other = open_with(both.path(), &with("roberta")).unwrap();
    assert_eq!(other.read_f32(QUERY).unwrap(), [0.0; 64]);
    assert_says(
        &refused(both.path(), &with("albert")),
        &["no NEZHA encoder with prefix 'albert'", "'roberta.'"],
    );
}

#[test]
fn of_two_state_dicts_an_option_chooses_one() {
    let folder = wrapped("moving-average");
    let said = refused(&folder, &OpenOptions::default());
    assert_says(&said, &["key 'ema'", "key 'model'", "`key`"]);
    let with = |key: &str| OpenOptions::default().key(key);
    let expected = open(&plain());
    let plain = open_with(&folder, &with("model")).unwrap();
    assert_has(&plain, &expected, "model");
    let average = open_with(&folder, &with("ema")).unwrap();
    let moved = average.read_f32(QUERY).unwrap();
    for (index, (found, plain)) in moved
        .iter()
        .zip(expected.read_f32(QUERY).unwrap())
        .enumerate()
    {
        assert_eq!(*found, plain + 1.0, "{QUERY}[{index}]");
    }
    assert_says(
        &refused(&folder, &with("teacher")),
        &["no NEZHA encoder with key 'teacher'", "key 'ema'"],
    );
}

#[test]
fn several_files_with_an_encoder_are_listed() {
    let said = refused(&wrapped("two-candidates"), &OpenOptions::default());
    assert_says(&said, &["fold0.pt, fold1.pt", "name the file"]);

    let beside = TempDir::new().unwrap();
    for (from, to) in [
        (plain().join("config.json"), "config.json"),
        (plain().join("model.safetensors"), "model.safetensors"),
        (wrapped("any-name/best_model.pth"), "best_model.pth"),
    ] {
        fs::copy(from, beside.path().join(to)).unwrap();
    }
    let said = refused(beside.path(), &OpenOptions::default());
    assert_says(&said, &["model.safetensors, best_model.pth"]);
}

#[test]
fn what_would_be_called_is_refused_by_name() {
    assert_says(
        &refused(&wrapped("foreign"), &OpenOptions::default()),
        &["`__main__.Arguments`"],
    );
}

/// safetensors keeps of tied tensors the first of the alphabet, which is the decoder.
#[test]
fn a_tied_matrix_is_read_under_either_name() {
    const WORDS: &str = "nezha.embeddings.word_embeddings.weight";
    const DECODER: &str = "cls.predictions.decoder.weight";
    let tied = renamed(DECODER, WORDS);
    let found = open(tied.path());
    assert_has(&found, &open(&plain()), "tied");
    let note = Note::OtherName {
        found: DECODER.to_owned(),
        read_as: WORDS,
    };
    assert_eq!(found.notes(), [note]);

    let rename = |tensors: Vec<Tensor>| {
        tensors
            .iter()
            .map(|it| it.named(it.name.replace(WORDS, DECODER)))
            .collect()
    };
    let untied = changed(rename, &[("tie_word_embeddings", false.into())]);
    assert!(
        open(untied.path()).weight(WORDS).is_none(),
        "an untied decoder became the embeddings"
    );
}

#[test]
fn any_word_for_nezha_is_enough_where_the_tensors_agree() {
    let classes = |class: &str| serde_json::json!([class]);
    for fields in [
        vec![
            ("model_type", "bert".into()),
            ("architectures", classes("NeZhaForPreTraining")),
        ],
        vec![
            ("model_type", "nezha".into()),
            ("architectures", classes("BertForPreTraining")),
        ],
        vec![
            ("model_type", serde_json::Value::Null),
            ("architectures", classes("MyNeZhaForPreTraining")),
        ],
    ] {
        let folder = changed(|it| it, &fields);
        assert_has(
            &open(folder.path()),
            &open(&plain()),
            &format!("{fields:?}"),
        );
    }
    let positions = |mut tensors: Vec<Tensor>| {
        tensors.push(Tensor::f32(
            "nezha.embeddings.position_embeddings.weight",
            &[2, 8],
            &[0.5; 16],
        ));
        tensors
    };
    let fields = [
        ("model_type", "bert".into()),
        ("architectures", classes("NeZhaForPreTraining")),
    ];
    let folder = changed(positions, &fields);
    assert_says(
        &refused(folder.path(), &OpenOptions::default()),
        &["\"bert\"", "another model's"],
    );
}

/// The heads that a folder's export makes, or why it makes none.
fn exported(folder: &Path) -> Result<Vec<Head>, String> {
    let target = TempDir::new().unwrap();
    let exported = export(&open(folder), target.path(), &ExportOptions::default());
    exported
        .map(|it| it.artifacts.iter().map(|it| it.head).collect())
        .map_err(|it| it.to_string())
}

#[test]
fn a_class_of_ones_own_leaves_the_heads_that_the_tensors_allow() {
    let own = || ("architectures", serde_json::json!(["MyNezhaForSomething"]));
    let only = |kept: &'static [&'static str], more: Vec<Tensor>| {
        move |tensors: Vec<Tensor>| {
            let kept = tensors
                .into_iter()
                .filter(move |it| kept.iter().any(|name| it.name.starts_with(name)));
            kept.chain(more).collect()
        }
    };
    let answers = vec![
        Tensor::f32("qa_outputs.weight", &[2, 8], &[0.5; 16]),
        Tensor::f32("qa_outputs.bias", &[2], &[0.0; 2]),
    ];
    let folder = changed(only(&["nezha."], answers), &[own()]);
    assert_eq!(exported(folder.path()), Ok(vec![Head::QuestionAnswering]));

    let folder = changed(only(&["nezha."], vec![]), &[own()]);
    assert_eq!(exported(folder.path()), Ok(vec![Head::Base]));

    let classifier = vec![
        Tensor::f32("classifier.weight", &[2, 8], &[0.5; 16]),
        Tensor::f32("classifier.bias", &[2], &[0.0; 2]),
    ];
    let folder = changed(only(&["nezha."], classifier), &[own()]);
    let said = exported(folder.path()).unwrap_err();
    assert_says(
        &said,
        &[
            "MyNezhaForSomething",
            "sequence-classification",
            "token-classification",
        ],
    );

    // A head that doesn't fit its config is no reason to export the base model in its place.
    let five = vec![
        Tensor::f32("classifier.weight", &[2, 4], &[0.5; 8]),
        Tensor::f32("classifier.bias", &[2], &[0.0; 2]),
    ];
    let folder = changed(only(&["nezha."], five), &[own()]);
    assert_says(
        &exported(folder.path()).unwrap_err(),
        &["MyNezhaForSomething"],
    );

    let folder = changed(
        |it| it,
        &[("architectures", serde_json::json!(["BertForMaskedLM"]))],
    );
    assert_eq!(exported(folder.path()), Ok(vec![Head::MaskedLm]));
}

#[test]
fn what_no_head_reads_is_listed_by_its_name() {
    let crf = |mut tensors: Vec<Tensor>| {
        tensors.push(Tensor::f32("crf.transitions", &[2, 2], &[0.0; 4]));
        tensors
    };
    let folder = changed(crf, &[]);
    let checkpoint = open(folder.path());
    let survey = Survey::new(&checkpoint).unwrap();
    assert_eq!(survey.unknown_tensors(), ["crf.transitions"]);
    let options = ExportOptions::default().heads(Heads::Named(vec![Head::MaskedLm]));
    let target = TempDir::new().unwrap();
    let exported = export(&checkpoint, target.path(), &options).unwrap();
    let warnings: Vec<String> = exported.warnings.iter().map(ToString::to_string).collect();
    for expected in ["no NEZHA head reads", "Viterbi"] {
        let told = warnings
            .iter()
            .any(|it| it.contains(expected) && it.contains("crf.transitions"));
        assert!(told, "expected '{expected}' in: {warnings:?}");
    }
}

#[test]
fn bert4torchs_names_of_any_release_are_read() {
    let names = |layer_norms: [&'static str; 2]| {
        move |tensors: Vec<Tensor>| {
            let renamed = tensors.iter().map(|it| {
                let name = it.name.replace("nezha.", "bert.");
                let name = [
                    ("token_type_embeddings", "segment_embeddings"),
                    ("embeddings.LayerNorm", "embeddings.layerNorm"),
                    ("encoder.layer.", "encoderLayer."),
                    ("attention.self.query", "multiHeadAttention.q"),
                    ("attention.self.key", "multiHeadAttention.k"),
                    ("attention.self.value", "multiHeadAttention.v"),
                    ("attention.output.dense", "multiHeadAttention.o"),
                    ("attention.output.LayerNorm", layer_norms[0]),
                    ("intermediate.dense", "feedForward.intermediateDense"),
                    ("output.LayerNorm", layer_norms[1]),
                    ("output.dense", "feedForward.outputDense"),
                    ("pooler.dense", "pooler"),
                    ("cls.seq_relationship", "bert.nsp"),
                    ("cls.predictions.transform.dense", "bert.mlmDense"),
                    ("cls.predictions.transform.LayerNorm", "bert.mlmLayerNorm"),
                    ("cls.predictions.bias", "bert.mlmBias"),
                ]
                .iter()
                .fold(name, |name, (ours, theirs)| name.replace(ours, theirs));
                it.named(name)
            });
            renamed.collect()
        }
    };
    let expected = open(&plain());
    for layer_norms in [
        ["attnLayerNorm", "ffnLayerNorm"],
        ["layerNorm1", "layerNorm2"],
    ] {
        let folder = changed(names(layer_norms), &[]);
        let found = open(folder.path());
        assert_has(&found, &expected, layer_norms[0]);
        assert_eq!(
            found.notes(),
            [Note::Names(Dialect::Bert4torch)],
            "{layer_norms:?}"
        );
    }
}

#[test]
fn paddles_pickles_of_any_protocol_are_read() {
    let expected = open(&plain());
    for case in [
        "paddle-protocol-2",
        "paddle-protocol-3",
        "paddle-protocol-4",
        "paddle-protocol-5",
        "paddle-tuples",
        "paddle-nested",
        "paddle-columns-first",
    ] {
        for mmap in [true, false] {
            let options = OpenOptions::default().mmap(mmap);
            let found = open_with(&wrapped(case), &options).unwrap();
            assert_has(&found, &expected, case);
            assert_eq!(found.format(), Format::Paddle, "{case}");
            let told = found.notes().contains(&Note::Names(Dialect::Paddle));
            assert!(told, "{case}: {:?}", found.notes());
            assert_eq!(
                found.digest().unwrap(),
                expected.digest().unwrap(),
                "{case}: the digest doesn't depend on the format"
            );
        }
    }
    let half = open(&wrapped("paddle-float16"));
    let words = "nezha.embeddings.word_embeddings.weight";
    for (index, (found, exact)) in half
        .read_f32(words)
        .unwrap()
        .iter()
        .zip(expected.read_f32(words).unwrap())
        .enumerate()
    {
        assert!(
            (found - exact).abs() <= exact.abs() / 1024.0,
            "{words}[{index}] is {found}, expected {exact}"
        );
    }
}

#[test]
fn arrays_under_foreign_names_are_read_by_their_shapes_or_refused() {
    let expected = open(&plain());
    for (case, kernels) in [
        ("paddle-torch-names", false),
        ("paddle-torch-names-untransposed", true),
    ] {
        let found = open(&wrapped(case));
        assert_has(&found, &expected, case);
        assert!(
            found.notes().contains(&Note::OtherLayout { kernels }),
            "{case}: {:?}",
            found.notes()
        );
    }
    let said = refused(&wrapped("paddle-undecided"), &OpenOptions::default());
    assert_says(&said, &["[in, out]", "[out, in]"]);
    let said = refused(&wrapped("paddle-call"), &OpenOptions::default());
    assert_says(&said, &["print", "It was not run"]);
}
