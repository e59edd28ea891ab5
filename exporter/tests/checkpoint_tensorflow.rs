//! TensorFlow bundles of every form, made from the model of `checkpoints/safetensors`.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

#[path = "support/bundle.rs"]
mod bundle;

use std::fs;
use std::path::{Path, PathBuf};

use bundle::{
    Bundle, Tensor, as_tensorflow, assert_has, assert_says, open, open_with, refused, tensors_of,
};
use nezha_exporter::checkpoint::{Checkpoint, Dialect, Format, Note, OpenOptions, Storage};
use nezha_exporter::export;
use tempfile::TempDir;
use testkit::compare::pairs;

const CONFIG: &str = r#"{"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 17,
    "intermediate_size": 12, "max_relative_position": 3, "hidden_act": "gelu", "use_relative_position": true}"#;

fn samples(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/checkpoints")
        .join(name)
}

fn plain() -> Checkpoint {
    open(&samples("safetensors"))
}

fn weights() -> Vec<Tensor> {
    as_tensorflow(&tensors_of(&samples("safetensors")))
}

/// A folder with Huawei's config and a bundle of that prefix.
fn folder(bundle: &Bundle, prefix: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("bert_config.json"), CONFIG).unwrap();
    bundle.write(&folder.path().join(prefix));
    folder
}

/// What Huawei's training adds: two moments of every variable, and scalars.
fn with_training(mut tensors: Vec<Tensor>) -> Vec<Tensor> {
    let moments = tensors.clone().into_iter().flat_map(|it| {
        ["adam_m", "adam_v"].map(|moment| it.named(format!("{}/{moment}", it.name)))
    });
    tensors.extend(moments.collect::<Vec<_>>());
    for scalar in ["global_step", "loss_scale", "good_steps", "bad_steps"] {
        tensors.push(Tensor::f32(scalar, &[], &[1.0]));
    }
    tensors
}

#[test]
fn a_bundle_is_read_from_its_folder_its_prefix_and_any_of_its_files() {
    let folder = folder(
        &Bundle::new(&with_training(weights()), 1),
        "model.ckpt-900000",
    );
    let at = |name: &str| folder.path().join(name);
    fs::write(at("model.ckpt-900000.meta"), b"a graph").unwrap();
    for path in [
        folder.path().to_owned(),
        at("model.ckpt-900000"),
        at("model.ckpt-900000.index"),
        at("model.ckpt-900000.meta"),
        at("model.ckpt-900000.data-00000-of-00001"),
    ] {
        let found = open(&path);
        let what = path.display().to_string();
        assert_has(&found, &plain(), &what);
        assert_eq!(found.format(), Format::TensorFlow, "{what}");
        assert_eq!(found.digest().unwrap(), plain().digest().unwrap(), "{what}");
        assert!(
            found.notes().contains(&Note::Names(Dialect::TensorFlow)),
            "{what}"
        );
    }
}

#[test]
fn an_optimizers_state_is_skipped_with_one_word() {
    let tensors = with_training(weights());
    let folder = folder(&Bundle::new(&tensors, 1), "model.ckpt");
    let found = open(folder.path());
    let model: usize = weights().iter().map(|it| it.bytes.len()).sum();
    let note = Note::OptimizerState {
        count: 2 * weights().len() + 4,
        bytes: 2 * model as u64 + 16,
    };
    assert!(found.notes().contains(&note), "{:?}", found.notes());
    assert_eq!(found.weights().len(), plain().weights().len());
}

#[test]
fn shards_and_compressed_blocks_and_no_map_read_the_same() {
    for (shards, compressed, mmap) in [(1, true, true), (3, false, true), (3, true, false)] {
        let bundle = Bundle {
            compressed,
            ..Bundle::new(&with_training(weights()), shards)
        };
        let folder = folder(&bundle, "model.ckpt");
        let options = OpenOptions::default().mmap(mmap);
        let what = format!("{shards} shards, compressed: {compressed}, mapped: {mmap}");
        let found =
            open_with(folder.path(), &options).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_has(&found, &plain(), &what);
        assert_eq!(found.files().len(), shards, "{what}");
    }
}

#[test]
fn every_element_type_is_read() {
    for storage in ["float16", "bfloat16", "float64"] {
        let expected = open(&samples(storage).join("model.safetensors"));
        let tensors = as_tensorflow(&tensors_of(&samples(storage).join("model.safetensors")));
        let folder = folder(&Bundle::new(&tensors, 1), "model.ckpt");
        assert_has(&open(folder.path()), &expected, storage);
    }
}

#[test]
fn of_several_checkpoints_the_text_file_names_the_newest() {
    let newest = folder(&Bundle::new(&weights(), 1), "model.ckpt-2000");
    let older: Vec<Tensor> = weights()
        .into_iter()
        .map(|it| Tensor {
            bytes: vec![0; it.bytes.len()],
            ..it
        })
        .collect();
    Bundle::new(&older, 1).write(&newest.path().join("model.ckpt-1000"));
    let said = refused(newest.path(), &OpenOptions::default());
    assert_says(&said, &["model.ckpt-1000.index, model.ckpt-2000.index"]);
    for named in [
        "model.ckpt-2000",
        "/home/someone/out/model.ckpt-2000",
        "D:\\\\out\\\\model.ckpt-2000",
    ] {
        let text = format!(
            "model_checkpoint_path: \"{named}\"\nall_model_checkpoint_paths: \"model.ckpt-1000\"\n"
        );
        fs::write(newest.path().join("checkpoint"), text).unwrap();
        assert_has(&open(newest.path()), &plain(), named);
    }
    // A file that names what is gone is no help, and no harm.
    fs::write(
        newest.path().join("checkpoint"),
        "model_checkpoint_path: \"model.ckpt-3000\"\n",
    )
    .unwrap();
    refused(newest.path(), &OpenOptions::default());
}

#[test]
fn a_bundles_gelu_is_told_by_its_format() {
    let folder = folder(&Bundle::new(&weights(), 1), "model.ckpt");
    let notes = open(folder.path());
    let note = Note::AmbiguousGelu {
        format: Format::TensorFlow,
    };
    assert!(notes.notes().contains(&note), "{:?}", notes.notes());
    let said = note.to_string();
    assert_says(&said, &["bert4keras", "Huawei", "tanh", "gelu_new", "2e-4"]);
}

/// The same graphs in every precision, whether a matrix has to be turned round or not.
#[test]
fn an_export_of_a_bundle_is_the_export_of_the_same_weights() {
    use nezha_exporter::ExportOptions;
    use nezha_graphs::Precision;
    let folder = folder(&Bundle::new(&with_training(weights()), 2), "model.ckpt");
    let (bundle, plain) = (open(folder.path()), plain());
    for precision in [
        Precision::Fp32,
        Precision::Fp16,
        Precision::Int8,
        Precision::Q8,
    ] {
        let options = ExportOptions::default()
            .heads(nezha_exporter::Heads::Named(vec![
                nezha_graphs::Head::Pretraining,
            ]))
            .precisions(vec![precision]);
        let weights = |checkpoint: &Checkpoint| {
            let target = TempDir::new().unwrap();
            let exported = export(checkpoint, target.path(), &options).unwrap();
            let model = nezha_graphs::read_model(&exported.artifacts[0].file.path).unwrap();
            model.graph.unwrap().initializer
        };
        for (expected, found) in pairs(precision.name(), weights(&plain), weights(&bundle)) {
            assert_eq!(found, expected, "{precision}: {}", expected.name);
        }
    }
}

#[test]
fn memory_and_storage_of_what_is_turned_round_agree() {
    let folder = folder(&Bundle::new(&weights(), 1), "model.ckpt");
    let found = open(folder.path());
    for weight in found.weights() {
        assert_eq!(weight.storage, Storage::F32, "{}", weight.name);
        let bytes = found.bytes(&weight.name).unwrap();
        assert_eq!(bytes.len(), weight.elements() * 4, "{}", weight.name);
    }
}
