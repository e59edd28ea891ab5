//! The text of a `config.json`, in transformers' dialect and in Huawei's.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use nezha_exporter::checkpoint::{Checkpoint, CheckpointError, Format, OpenOptions};
use nezha_fuzz::{WEIGHTS, read_from_memory};
use nezha_graphs::{Activation, Config, GraphOptions, Head, Metadata, Precision, Signature};

fuzz_target!(|text: &str| {
    if let Ok(config) = Config::from_json(text) {
        carried_by_an_artifact(text, &config);
    }
    let overriding = OpenOptions::default()
        .mmap(false)
        .max_relative_position(16)
        .hidden_act(Activation::GeluTanh)
        .labels(["a", "b"]);
    for options in [OpenOptions::default(), overriding] {
        if let Ok(checkpoint) = opened(text, &options) {
            carried_by_an_artifact(checkpoint.config_json(), checkpoint.config());
        }
    }
});

/// The checkpoint of this config.
fn opened(text: &str, options: &OpenOptions) -> Result<Checkpoint, CheckpointError> {
    let weights = Bytes::from_static(WEIGHTS);
    read_from_memory(
        "model.safetensors",
        text,
        weights,
        Format::Safetensors,
        options,
    )
}

/// What an artifact carries gives the same config back.
fn carried_by_an_artifact(text: &str, config: &Config) {
    let metadata = Metadata {
        head: Head::Base,
        options: GraphOptions::default(),
        precision: Precision::default(),
        config_json: text.to_owned(),
        source_size: 0,
        source_digest: String::new(),
        exporter_version: String::new(),
    };
    let props = metadata.to_props().expect("a config that is valid");
    let pairs = props
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    let read = Metadata::from_props(pairs).expect("what was written");
    assert_eq!(read, metadata);
    assert_eq!(&read.config().expect("what was written"), config);
    for head in Head::ALL {
        let signature = Signature::new(config, head, &GraphOptions::default());
        assert!(!signature.outputs.is_empty());
    }
}
