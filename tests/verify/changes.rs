//! Whatever is changed in an artifact fails by name.

use std::fs;
use std::path::Path;

use super::{Artifact, failed, fixture};

/// Changes the lowest bit of the first byte of row 46 of the word embeddings, the last one of the
/// vocabulary, wherever it lies in `file`.
fn change_last_embedding(file: &Path, checkpoint: &Path) {
    let weights = fs::read(checkpoint.join("model.safetensors")).unwrap();
    let weights = safetensors::SafeTensors::deserialize(&weights).unwrap();
    let embeddings = weights.tensor("embeddings.word_embeddings.weight").unwrap();
    let row = embeddings
        .data()
        .chunks(4 * embeddings.shape()[1])
        .last()
        .unwrap();
    let mut bytes = fs::read(file).unwrap();
    let at = bytes.windows(row.len()).position(|it| it == row).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn one_changed_bit_in_one_row_of_the_embeddings_is_found_wherever_the_weights_are() {
    for placement in ["embedded", "external"] {
        let artifact = Artifact::new("reach-4/base", &["--weights", placement]);
        let file = match placement {
            "embedded" => artifact.model(),
            _ => artifact.weights(),
        };
        change_last_embedding(&file, &artifact.checkpoint);
        let output = artifact.verify(&[]);
        failed(
            &output,
            "initializer 'nezha.embeddings.word_embeddings.weight' is ",
        );
        failed(&output, " at [46, 0], expected ");
        failed(&output, "(1 of 752 elements differ)");
        let certificate = artifact.certificate();
        assert_eq!(certificate["passed"], false, "{placement}");
        let difference = &certificate["initializers"]["differences"][0];
        assert_eq!(difference["kind"], "value", "{placement}: {difference}");
        assert_eq!(difference["differing"], 1, "{placement}: {difference}");
        assert_eq!(artifact.summary().unwrap()["passed"], false, "{placement}");
    }
}

#[test]
fn a_changed_table_of_relative_positions_is_found() {
    let artifact = Artifact::new("reach-4/masked-lm", &[]);
    artifact.edit(|model| {
        let graph = model.graph.as_mut().unwrap();
        let table = graph.initializer.iter_mut().find(|it| it.dims == [8, 9]);
        let table = table.expect("a table of 2M + 1 columns");
        let mut bytes = table.raw_data.to_vec();
        bytes[5] ^= 1;
        table.raw_data = bytes.into();
    });
    failed(&artifact.verify(&[]), "(1 of 72 elements differ)");
}

#[test]
fn a_changed_attribute_of_a_node_is_found() {
    let artifact = Artifact::new("reach-4/masked-lm", &[]);
    artifact.edit(|model| {
        let mut nodes = model.graph.as_mut().unwrap().node.iter_mut();
        let norm = nodes.find(|it| it.op_type == "LayerNormalization").unwrap();
        let epsilon = norm.attribute.iter_mut().find(|it| it.name == "epsilon");
        let epsilon = epsilon.and_then(|it| it.f.as_mut());
        *epsilon.expect("an epsilon") *= 2.0;
    });
    failed(&artifact.verify(&[]), "LayerNormalization");
}

#[test]
fn missing_and_additional_initializers_are_named() {
    let artifact = Artifact::new("reach-4/masked-lm", &[]);
    artifact.edit(|model| {
        let graph = model.graph.as_mut().unwrap();
        graph.initializer[0].name = "somebody.else".to_owned();
    });
    let output = artifact.verify(&[]);
    failed(&output, "is missing");
    failed(&output, "initializer 'somebody.else' is one too many");
}

#[test]
fn another_checkpoint_fails_by_its_config_or_by_its_weights() {
    let artifact = Artifact::new("reach-4/masked-lm", &[]);
    let output = artifact.verify_against(&fixture("odd-sizes/masked-lm"), &[]);
    failed(&output, "config field 'hidden_size'");
    let output = artifact.verify_against(&fixture("reach-4/pretraining"), &[]);
    failed(&output, "elements differ");
    let output = artifact.verify_against(&fixture("reach-4/question-answering"), &[]);
    failed(&output, "not what the artifact was exported from");
}

#[test]
fn what_can_not_be_compared_is_an_error_and_nothing_is_written() {
    let artifact = Artifact::new("reach-4/masked-lm", &["--weights", "external"]);
    let weights = fs::read(artifact.weights()).unwrap();
    fs::write(artifact.weights(), &weights[..weights.len() - 1]).unwrap();
    failed(
        &artifact.verify(&[]),
        "it was cut short, or is another export's",
    );
    fs::remove_file(artifact.weights()).unwrap();
    failed(&artifact.verify(&[]), ".onnx_data");
    artifact.edit(|model| model.metadata_props.clear());
    failed(&artifact.verify(&[]), "not written by nezha-onnx");
    fs::write(artifact.model(), "no model").unwrap();
    failed(&artifact.verify(&[]), "not a complete ONNX model");
    fs::remove_file(artifact.model()).unwrap();
    failed(&artifact.verify(&[]), "model.onnx");
    assert!(!artifact.folder.path().join("verification.json").exists());
}

#[test]
fn weights_outside_of_the_folder_are_refused() {
    let artifact = Artifact::new("reach-4/masked-lm", &["--weights", "external"]);
    artifact.edit(|model| {
        for tensor in &mut model.graph.as_mut().unwrap().initializer {
            for entry in tensor
                .external_data
                .iter_mut()
                .filter(|it| it.key == "location")
            {
                entry.value = format!("../{}", entry.value);
            }
        }
    });
    failed(
        &artifact.verify(&[]),
        "weights have to be in the folder of the .onnx",
    );
}

#[test]
fn a_quantized_weight_that_stands_for_another_number_is_found() {
    for dtype in ["int8", "w8", "q8", "q4"] {
        let artifact = Artifact::new("reach-4/base", &["--dtype", dtype]);
        let named = artifact.folder.path().join(format!("model_{dtype}.onnx"));
        fs::rename(named, artifact.model()).unwrap();
        artifact.edit(|model| {
            let mut weights = model.graph.as_mut().unwrap().initializer.iter_mut();
            let is_scale = |name: &str| name.contains("query.weight") && name.ends_with("scales");
            let scales = weights.find(|it| is_scale(&it.name));
            let scales = scales.unwrap();
            let mut bytes = scales.raw_data.to_vec();
            let first = f32::from_le_bytes(bytes[..4].try_into().unwrap());
            bytes[..4].copy_from_slice(&(1.5 * first).to_le_bytes());
            scales.raw_data = bytes.into();
        });
        let output = artifact.verify(&[]);
        failed(&output, "elements differ)");
        failed(&output, "more than half a step of");
        let certificate = artifact.certificate();
        let worst = &certificate["initializers"]["worst_rounding"];
        assert!(worst.as_f64().unwrap() > 0.6, "{dtype}: {worst}");
    }
}
