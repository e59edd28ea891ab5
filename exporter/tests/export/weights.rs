//! Embedded, external and linked weights: the same numbers, wherever they are.

use std::fs;
use std::path::{Path, PathBuf};

use nezha_exporter::onnx::MESSAGE_LIMIT;
use nezha_exporter::{ExportError, ExportOptions, Heads, LinkError, Placement};
use nezha_graphs::{DType, Head, Precision};
use safetensors::Dtype;
use tempfile::TempDir;

use crate::support::{
    Initializer, edited, exported, fixture, initializers, listing, open, refusal, sparse,
    try_export,
};

fn placed(weights: Placement) -> ExportOptions {
    ExportOptions::default().weights(weights)
}

/// A checkpoint in a folder of its own that may be written to.
fn copy(name: &str) -> TempDir {
    edited(name, |_, _| ())
}

fn model(folder: &Path) -> PathBuf {
    folder.join("model.onnx")
}

/// The rows of a float32 matrix as columns.
fn transposed(matrix: &Initializer) -> Vec<u8> {
    let [rows, columns] = matrix.shape[..] else {
        panic!("no matrix: {:?}", matrix.shape);
    };
    let elements = matrix.bytes.as_chunks::<4>().0;
    let columns = columns as usize;
    (0..columns * rows as usize)
        .flat_map(|i| elements[i % rows as usize * columns + i / rows as usize])
        .collect()
}

#[test]
fn external_weights_are_the_embedded_ones_at_aligned_offsets() {
    for name in ["reach-4/pretraining", "odd-sizes/masked-lm"] {
        let [inside, beside] = [Placement::Embedded, Placement::External].map(|placement| {
            let target = tempfile::tempdir().unwrap();
            exported(&fixture(name), target.path(), &placed(placement));
            initializers(&model(target.path()))
        });
        assert!(inside.keys().eq(beside.keys()), "{name}");
        let checkpoint = open(&fixture(name));
        for (tensor, external) in &beside {
            let embedded = &inside[tensor];
            assert_eq!(external.shape, embedded.shape, "{name}: {tensor}");
            assert_eq!(external.bytes, embedded.bytes, "{name}: {tensor}");
            assert!(embedded.external.is_none(), "{name}: {tensor}");
            let weight = tensor.strip_suffix(".T").unwrap_or(tensor);
            let is_weight = checkpoint.weight(weight).is_some();
            assert_eq!(external.external.is_some(), is_weight, "{name}: {tensor}");
            if let Some((_, offset)) = &external.external {
                let alignment = if external.bytes.len() < 4096 {
                    64
                } else {
                    4096
                };
                assert_eq!(offset % alignment, 0, "{name}: {tensor} at {offset}");
            }
        }
    }
}

/// Among them the transposed views that a conversion from TensorFlow leaves.
#[test]
fn an_artifact_holds_the_same_weights_whatever_the_checkpoints_format() {
    let checkpoints = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints");
    for (precision, formats) in [
        (
            Precision::Fp32,
            &["safetensors", "zip", "legacy", "huawei"][..],
        ),
        (
            Precision::Fp16,
            &[
                "float16/model.safetensors",
                "float16/pytorch_model.bin",
                "float64/pytorch_model.bin",
            ],
        ),
    ] {
        let options = ExportOptions::default()
            .heads(Heads::Named(vec![Head::MaskedLm]))
            .precisions(vec![precision]);
        let weights = |format: &str| {
            let target = tempfile::tempdir().unwrap();
            let path = checkpoints.join(format);
            let written = exported(&path, target.path(), &options);
            let checkpoint = open(&path);
            let mut weights = initializers(&written.artifacts[0].file.path);
            // Constants follow from the config, which Huawei's lacks a part of.
            weights.retain(|name, _| {
                let name = name.strip_suffix(".T").unwrap_or(name);
                checkpoint.weight(name).is_some()
            });
            weights
        };
        let expected = weights(formats[0]);
        for format in &formats[1..] {
            let found = weights(format);
            assert!(found.keys().eq(expected.keys()), "{format}");
            for (name, tensor) in &expected {
                assert_eq!(found[name].bytes, tensor.bytes, "{format}: {name}");
            }
        }
    }
}

#[test]
fn linked_weights_are_the_checkpoints_own_bytes() {
    let checkpoint = copy("untied-regression/masked-lm");
    let stored = fs::read(checkpoint.path().join("model.safetensors")).unwrap();
    exported(
        checkpoint.path(),
        checkpoint.path(),
        &placed(Placement::Linked),
    );
    let linked = initializers(&model(checkpoint.path()));
    assert_eq!(
        listing(checkpoint.path()),
        ["config.json", "model.onnx", "model.safetensors"]
    );
    let after = fs::read(checkpoint.path().join("model.safetensors")).unwrap();
    assert!(stored == after, "the checkpoint was written to");

    let target = tempfile::tempdir().unwrap();
    exported(
        checkpoint.path(),
        target.path(),
        &placed(Placement::Embedded),
    );
    for (tensor, embedded) in initializers(&model(target.path())) {
        if let Some(name) = tensor.strip_suffix(".T") {
            let matrix = &linked[name];
            assert_eq!(transposed(matrix), embedded.bytes, "{tensor}");
        } else {
            assert_eq!(linked[&tensor].bytes, embedded.bytes, "{tensor}");
        }
    }
    let weights = open(checkpoint.path());
    let weights = weights.weights().iter();
    let needed = |name: &str| !name.starts_with("nezha.pooler") && !name.ends_with("key.bias");
    for weight in weights.filter(|it| needed(&it.name)) {
        let location = linked[&weight.name]
            .external
            .as_ref()
            .map(|it| it.0.as_str());
        assert_eq!(location, Some("model.safetensors"), "{}", weight.name);
    }
}

#[test]
fn heads_share_one_file_and_each_weight_in_it_is_there_once() {
    let target = tempfile::tempdir().unwrap();
    let options = ExportOptions::default().heads(Heads::All);
    let all = exported(&fixture("reach-4/pretraining"), target.path(), &options);
    let weights = &all.weights[0];
    let mut ranges = std::collections::BTreeMap::new();
    for artifact in &all.artifacts {
        for (name, tensor) in initializers(&artifact.file.path) {
            if let Some((file, offset)) = tensor.external {
                assert_eq!(target.path().join(&file), weights.path, "{name}");
                let first = ranges.insert(name.clone(), offset);
                assert!(first.is_none_or(|it| it == offset), "{name} is there twice");
            }
        }
    }
    assert!(!ranges.is_empty(), "no weight is in the file");
    let offsets: std::collections::BTreeSet<u64> = ranges.values().copied().collect();
    assert_eq!(offsets.len(), ranges.len(), "two weights at one offset");

    let alone = tempfile::tempdir().unwrap();
    let largest = placed(Placement::External).heads(Heads::Named(vec![Head::Pretraining]));
    let alone = exported(&fixture("reach-4/pretraining"), alone.path(), &largest);
    let bytes = alone.weights[0].bytes;
    // Pretraining reads every weight; in another order, the gaps between tensors may differ.
    assert!(
        weights.bytes.abs_diff(bytes) < 4096 * 2,
        "{} bytes for all heads, {bytes} for the largest",
        weights.bytes
    );
}

#[test]
fn several_embedded_heads_carry_their_own_weights() {
    let target = tempfile::tempdir().unwrap();
    let options = placed(Placement::Embedded).heads(Heads::All);
    exported(&fixture("reach-4/masked-lm"), target.path(), &options);
    assert_eq!(
        listing(target.path()),
        ["base.onnx", "config.json", "masked-lm.onnx"]
    );
}

#[test]
fn other_weights_get_another_name_and_the_superseded_file_goes() {
    let target = tempfile::tempdir().unwrap();
    let options = placed(Placement::External).force(true);
    let weights = |checkpoint: &Path| {
        let exported = exported(checkpoint, target.path(), &options);
        let path = exported.weights[0].path.clone();
        path.file_name().unwrap().to_str().unwrap().to_owned()
    };
    let first = weights(&fixture("reach-4/masked-lm"));
    let again = weights(&fixture("reach-4/masked-lm"));
    assert_eq!(first, again);
    let changed = edited("reach-4/masked-lm", |_, tensors| {
        let bias = &mut tensors.get_mut("cls.predictions.bias").unwrap().1;
        bias[0] ^= 1;
    });
    let second = weights(changed.path());
    assert_ne!(first, second);
    let config = listing(target.path());
    assert_eq!(config, ["config.json", "model.onnx", &second]);
}

#[test]
fn a_weights_file_that_another_artifact_needs_stays() {
    let target = tempfile::tempdir().unwrap();
    let export = |checkpoint: &str, heads: &[Head]| {
        let options = placed(Placement::External)
            .heads(Heads::Named(heads.to_vec()))
            .force(true);
        let exported = exported(&fixture(checkpoint), target.path(), &options);
        exported.weights[0].path.clone()
    };
    let two = export("reach-4/pretraining", &[Head::Base, Head::MaskedLm]);
    let one = export("reach-4/pretraining", &[Head::Pretraining]);
    assert_ne!(one, two);
    assert!(two.exists() && one.exists());
    for head in ["base", "masked-lm"] {
        initializers(&target.path().join(format!("{head}.onnx")));
    }
}

#[test]
fn files_that_only_look_like_weights_are_never_removed() {
    let target = tempfile::tempdir().unwrap();
    let names = ["weights.mine.onnx_data", "model.onnx_data", "weights.bin"];
    for name in names {
        fs::write(target.path().join(name), "mine").unwrap();
    }
    let stale = format!("weights.{}.onnx_data", "0".repeat(32));
    fs::write(target.path().join(&stale), "stale").unwrap();
    exported(
        &fixture("reach-4/base"),
        target.path(),
        &placed(Placement::Embedded),
    );
    let left = listing(target.path());
    for name in names {
        assert!(left.contains(&name.to_owned()), "{name} was removed");
    }
    assert!(!left.contains(&stale), "{stale} is still there");
}

#[test]
fn weights_that_are_linked_in_half_precision_are_of_that_type() {
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints/float16");
    let checkpoint = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(stored.join(file), checkpoint.path().join(file)).unwrap();
    }
    for precision in [Precision::Fp16, Precision::Fp16Storage] {
        let options = placed(Placement::Linked)
            .precisions(vec![precision])
            .force(true);
        let written = exported(checkpoint.path(), checkpoint.path(), &options);
        let initializers = initializers(&written.artifacts[0].file.path);
        let linked = initializers.iter().filter(|(_, it)| it.external.is_some());
        let mut count = 0;
        for (name, tensor) in linked {
            assert_eq!(tensor.dtype, Some(DType::F16), "{precision}: {name}");
            count += 1;
        }
        assert!(count > 30, "{precision}: {count} weights are linked");
    }
}

fn link_error(checkpoint: &Path, target: &Path) -> LinkError {
    match try_export(checkpoint, target, &placed(Placement::Linked)) {
        Err(ExportError::Link(error)) => error,
        other => panic!("expected a refusal to link, got {other:?}"),
    }
}

#[test]
fn linking_into_another_folder_is_refused() {
    let checkpoint = fixture("reach-4/masked-lm");
    let target = tempfile::tempdir().unwrap();
    let error = link_error(&checkpoint, target.path());
    assert!(matches!(error, LinkError::OtherFolder { .. }), "{error}");
    assert!(error.to_string().contains("external weights"), "{error}");
    let missing = target.path().join("not-there");
    let error = link_error(&checkpoint, &missing);
    assert!(matches!(error, LinkError::OtherFolder { .. }), "{error}");
    assert!(!missing.exists());
}

#[cfg(unix)]
#[test]
fn linking_to_a_symbolic_or_a_hard_link_is_refused() {
    let checkpoint = copy("reach-4/masked-lm");
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors"] {
        let source = checkpoint.path().join(name);
        std::os::unix::fs::symlink(source, folder.path().join(name)).unwrap();
    }
    let error = link_error(folder.path(), folder.path());
    assert!(matches!(error, LinkError::Symlink { .. }), "{error}");

    let weights = checkpoint.path().join("model.safetensors");
    fs::hard_link(&weights, folder.path().join("second.safetensors")).unwrap();
    let error = link_error(checkpoint.path(), checkpoint.path());
    assert!(matches!(error, LinkError::HardLink { .. }), "{error}");
}

#[test]
fn linking_to_weights_that_need_conversion_is_refused_with_their_name() {
    let checkpoint = edited("reach-4/masked-lm", |_, _| ());
    let path = checkpoint.path().join("model.safetensors");
    let halves = {
        let opened = open(checkpoint.path());
        let weights = opened.weights().iter();
        weights
            .map(|weight| {
                let bytes = vec![0; 2 * weight.elements()];
                (weight.name.clone(), (weight.shape.clone(), bytes))
            })
            .collect()
    };
    crate::support::save(&path, Dtype::F16, &halves);
    match link_error(checkpoint.path(), checkpoint.path()) {
        LinkError::Conversion {
            name,
            storage,
            needed,
        } => {
            assert_eq!(needed.name(), "F32");
            assert!(halves.contains_key(&name), "{name}");
            assert_eq!(storage.name(), "F16");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn weights_above_2_gb_are_refused_before_anything_is_written() {
    let checkpoint = sparse(1 << 24, 32, 1, 8);
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("out");
    let options = placed(Placement::Embedded);
    let message = refusal(checkpoint.path(), &target, &options);
    assert!(message.contains("external weights"), "{message}");
    assert!(message.contains(&MESSAGE_LIMIT.to_string()), "{message}");
    assert!(!target.exists(), "{message}");
}

#[test]
fn a_weight_that_fewer_bits_can_not_hold_is_refused_by_name_and_nothing_is_written() {
    const TENSOR: &str = "nezha.encoder.layer.0.attention.self.query.weight";
    for (precision, element, named) in [
        (Precision::Fp16, 70_000.0_f32, "float16"),
        (Precision::Fp16Storage, -70_000.0, "float16"),
        (Precision::Int8, f32::INFINITY, "int8"),
        (Precision::W8, f32::INFINITY, "int8"),
        (Precision::Q8, f32::NEG_INFINITY, "q8"),
        (Precision::Q4, f32::INFINITY, "q4"),
    ] {
        let checkpoint = edited("reach-4/masked-lm", |_, tensors| {
            let (_, bytes) = tensors.get_mut(TENSOR).unwrap();
            bytes[..4].copy_from_slice(&element.to_le_bytes());
        });
        let target = tempfile::tempdir().unwrap();
        let options = ExportOptions::default().precisions(vec![precision]);
        let message = refusal(checkpoint.path(), target.path(), &options);
        let expected = format!("tensor '{TENSOR}' holds {element}, which {named} can't represent");
        assert!(message.contains(&expected), "{message}");
        assert!(listing(target.path()).is_empty());
    }
}
