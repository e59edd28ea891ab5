//! One model in every form that a NEZHA checkpoint comes in (`checkpoints/make.py` wrote them) is
//! the same model.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use std::path::{Path, PathBuf};

use ndarray::Array1;
use nezha_exporter::checkpoint::{Checkpoint, Format, Note, OpenOptions, Storage};
use nezha_graphs::{Activation, Head};
use testkit::compare::{Tolerance, assert_near};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/checkpoints")
        .join(name)
}

fn open(path: &Path) -> Checkpoint {
    Checkpoint::open(path, &OpenOptions::default()).unwrap()
}

/// Names, shapes and elements agree; a difference is reported by tensor and index.
fn assert_same(found: &Checkpoint, expected: &Checkpoint, what: &str) {
    let names = |it: &Checkpoint| -> Vec<String> {
        it.weights().iter().map(|it| it.name.clone()).collect()
    };
    assert_eq!(names(found), names(expected), "{what}: names");
    for weight in expected.weights() {
        let name = &weight.name;
        assert_eq!(
            found.weight(name).unwrap().shape,
            weight.shape,
            "{what}: shape of {name}"
        );
        let [expected, found] =
            [expected, found].map(|it| Array1::from(it.read_f32(name).unwrap()));
        assert_near(what, name, &expected, &found, Tolerance::Bits);
    }
}

#[test]
fn every_format_holds_the_same_weights() {
    let expected = open(&folder("safetensors"));
    assert_eq!(expected.weights().len(), 45);
    for name in [
        "zip",
        "legacy",
        "parameters",
        "sharded-safetensors",
        "sharded-bin",
        "huawei",
    ] {
        let found = open(&folder(name));
        assert_same(&found, &expected, name);
        assert_eq!(found.size(), expected.size(), "{name}");
        assert_eq!(
            found.digest().unwrap(),
            expected.digest().unwrap(),
            "{name}: the digest doesn't depend on the format"
        );
    }
}

#[test]
fn every_storage_widens_to_the_same_numbers() {
    let expected = open(&folder("float64"));
    for (name, storage) in [
        ("float64", Storage::F64),
        ("float16", Storage::F16),
        ("bfloat16", Storage::BF16),
    ] {
        for file in ["model.safetensors", "pytorch_model.bin"] {
            let found = open(&folder(name).join(file));
            assert_same(&found, &expected, &format!("{name}/{file}"));
            for weight in found.weights() {
                assert_eq!(weight.storage, storage, "{name}/{file}: {}", weight.name);
            }
        }
    }
}

#[test]
fn without_a_map_the_file_reads_the_same() {
    let options = OpenOptions::default().mmap(false);
    let copied = Checkpoint::open(folder("safetensors"), &options).unwrap();
    assert_same(&copied, &open(&folder("safetensors")), "no map");
}

#[test]
fn safetensors_are_preferred_to_pickles_and_it_is_said() {
    let found = open(&folder("float16"));
    let bias = found.weight("cls.predictions.bias").unwrap();
    assert!(bias.location.is_some(), "read from a pickle");
    let note = Note::PreferredSafetensors {
        ignored: "pytorch_model.bin".to_owned(),
    };
    assert_eq!(found.notes(), [note]);
}

#[test]
fn a_weights_location_is_where_its_bytes_lie_in_the_file() {
    let checkpoint = open(&folder("sharded-safetensors"));
    for weight in checkpoint.weights() {
        let location = weight.location.as_ref().unwrap();
        let file = std::fs::read(&location.file).unwrap();
        let range = location.offset as usize..(location.offset + location.length) as usize;
        assert_eq!(
            file[range],
            checkpoint.bytes(&weight.name).unwrap(),
            "{}",
            weight.name
        );
    }
}

#[test]
fn chunks_of_any_size_make_up_the_whole() {
    for name in ["safetensors", "zip"] {
        let checkpoint = open(&folder(name));
        let weight = "nezha.embeddings.word_embeddings.weight";
        let whole = checkpoint.read_f32(weight).unwrap();
        for size in [0, 1, 7, 136, usize::MAX] {
            let mut joined = Vec::new();
            checkpoint
                .read_f32_chunks(weight, size, |chunk| {
                    assert!(chunk.len() <= size.max(1), "{} elements", chunk.len());
                    joined.extend_from_slice(chunk);
                    Ok::<(), nezha_exporter::checkpoint::CheckpointError>(())
                })
                .unwrap();
            assert_eq!(joined, whole, "{name} in chunks of {size}");
        }
    }
}

#[test]
fn huaweis_dialect_is_translated_and_told() {
    let huawei = open(&folder("huawei"));
    let skipped = Note::SkippedBuffers {
        count: 3,
        bytes: 2 * 16 * 16 * 4 * 4 + 16 * 8,
        first: "module.bert.embeddings.position_ids".to_owned(),
    };
    assert_eq!(
        huawei.notes(),
        [
            Note::AssumedMaxRelativePosition { value: 64 },
            Note::AmbiguousGelu {
                format: Format::Torch
            },
            Note::Prefix {
                prefix: "module.bert.".to_owned()
            },
            Note::GammaBeta,
            skipped,
            Note::OtherName {
                found: "module.cls.predictions.decoder.bias".to_owned(),
                read_as: "cls.predictions.bias",
            },
        ]
    );
    assert_eq!(huawei.config().max_relative_position, 64);
    let json: serde_json::Value = serde_json::from_str(huawei.config_json()).unwrap();
    assert_eq!(json["model_type"], "nezha");
    assert_eq!(json["max_relative_position"], 64);
}

#[test]
fn options_override_the_config_and_its_text() {
    for name in ["huawei", "safetensors"] {
        let options = OpenOptions::default()
            .max_relative_position(9)
            .hidden_act(Activation::GeluTanh);
        let checkpoint = Checkpoint::open(folder(name), &options).unwrap();
        assert_eq!(checkpoint.config().max_relative_position, 9, "{name}");
        assert_eq!(
            checkpoint.config().hidden_act,
            Activation::GeluTanh,
            "{name}"
        );
        let again = nezha_graphs::Config::from_json(checkpoint.config_json()).unwrap();
        assert_eq!(&again, checkpoint.config(), "{name}");
    }
}

#[test]
fn a_clean_checkpoint_needs_no_words_and_keeps_its_configs_text() {
    let clean = open(&folder("safetensors"));
    assert_eq!(clean.notes(), []);
    let text = std::fs::read_to_string(folder("safetensors").join("config.json")).unwrap();
    assert_eq!(clean.config_json(), text);
    assert_eq!(clean.config().heads(), [Head::Pretraining]);
}

#[cfg(unix)]
#[test]
fn a_repository_in_hugging_faces_cache_is_a_checkpoint() {
    use std::fs;
    use std::os::unix::fs::symlink;

    let cache = tempfile::tempdir().unwrap();
    let repository = cache.path().join("models--someone--nezha");
    let snapshot = repository.join("snapshots").join("0a1b2c");
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(repository.join("blobs")).unwrap();
    fs::create_dir_all(repository.join("refs")).unwrap();
    fs::write(repository.join("refs/main"), "0a1b2c\n").unwrap();
    for file in ["config.json", "model.safetensors"] {
        let blob = repository.join("blobs").join(file.len().to_string());
        fs::copy(folder("safetensors").join(file), blob).unwrap();
        let target = format!("../../blobs/{}", file.len());
        symlink(target, snapshot.join(file)).unwrap();
    }
    let expected = open(&folder("safetensors"));
    assert_same(&open(&snapshot), &expected, "the snapshot");
    assert_same(&open(&repository), &expected, "the repository");
    fs::remove_file(repository.join("refs/main")).unwrap();
    assert_same(&open(&repository), &expected, "the only snapshot");
}
