//! An `.onnx` file: read once for all, then as the runtime opens it, as `inspect` describes, lists and
//! draws it, and as `verify` reads its metadata.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use nezha_exporter::inspect::diagram;
use nezha_graphs::proto::ModelProto;
use nezha_graphs::{
    Bindings, ExternalData, Initializer, Metadata, ModelSummary, Port, decode_model, listing,
    replace_initializers,
};
use prost::Message;

/// Bytes of a file of weights.
const WEIGHTS: u64 = 1 << 10;

fuzz_target!(|input: &[u8]| {
    let Ok(model) = decode_model(Bytes::copy_from_slice(input)) else {
        return;
    };
    written_and_read_again(&model);
    rewritten(input, &model);
    inspected(&model);
    verified(&model);
    opened(&model);
});

/// The same messages come back. NaN is not equal to itself, and attributes may hold it.
fn written_and_read_again(model: &ModelProto) {
    let encoded = model.encode_to_vec();
    let again = decode_model(Bytes::from(encoded.clone())).expect("what was written");
    assert_eq!(again.encode_to_vec(), encoded);
}

/// Initializers that are kept are the same, and those that are left out are gone.
fn rewritten(input: &[u8], model: &ModelProto) {
    let kept = replace_initializers(input, |_| Initializer::Keep).expect("what was read");
    let kept = decode_model(Bytes::from(kept)).expect("what was written");
    assert_eq!(kept.encode_to_vec(), model.encode_to_vec());
    let bare = replace_initializers(input, |_| Initializer::Omit).expect("what was read");
    let bare = decode_model(Bytes::from(bare)).expect("what was written");
    assert!(bare.graph.expect("what was read has one").initializer.is_empty());
}

fn inspected(model: &ModelProto) {
    let summary = ModelSummary::new(model);
    assert!(summary.operators.values().sum::<usize>() == summary.nodes);
    assert!(listing(model).ends_with('\n'));
    let graph = model.graph.as_ref().expect("what was read has one");
    let _ = diagram(graph, "");
}

/// What `verify` reads before it has a checkpoint to compare with.
fn verified(model: &ModelProto) {
    let props = model.metadata_props.iter();
    let props = props.map(|it| (it.key.as_str(), it.value.as_str()));
    if let Ok(metadata) = Metadata::from_props(props) {
        let _ = metadata.to_props();
        let _ = metadata.config();
    }
    let graph = model.graph.as_ref().expect("what was read has one");
    for tensor in &graph.initializer {
        if let Some(place) = ExternalData::of(tensor) {
            let _ = place.is_beside_model();
            let _ = place.range(WEIGHTS);
        }
    }
}

/// Inputs and outputs.
fn opened(model: &ModelProto) {
    let graph = model.graph.as_ref().expect("what was read has one");
    assert!(!graph.output.is_empty());
    for value in graph.input.iter().chain(&graph.output) {
        if let Ok(port) = Port::from_proto(value) {
            read_again(&port);
        }
    }
}

/// A port comes back from its own message, dimensions that are polynomials included.
fn read_again(port: &Port) {
    let written = port.to_proto();
    let again = Port::from_proto(&written).expect("what was written");
    assert_eq!(again.to_string(), port.to_string());
    for dim in &port.shape {
        let _ = dim.evaluate(&Bindings::new());
        let _ = dim.divide(dim);
    }
}
