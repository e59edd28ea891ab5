//! An `.onnx` file as the runtime and `inspect` read it.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use nezha_graphs::proto::ModelProto;
use nezha_graphs::{Bindings, Metadata, ModelSummary, Port, decode_model, listing};
use prost::Message;

fuzz_target!(|input: &[u8]| {
    let Ok(model) = decode_model(Bytes::copy_from_slice(input)) else {
        return;
    };
    let encoded = model.encode_to_vec();
    let again = ModelProto::decode(encoded.as_slice()).expect("what was written");
    // NaN is not equal to itself, and attributes may hold it.
    assert_eq!(again.encode_to_vec(), encoded);

    let summary = ModelSummary::new(&model);
    assert!(summary.operators.values().sum::<usize>() == summary.nodes);
    assert!(listing(&model).ends_with('\n'));

    let props = model.metadata_props.iter();
    let props = props.map(|it| (it.key.as_str(), it.value.as_str()));
    if let Ok(metadata) = Metadata::from_props(props) {
        let _ = metadata.to_props();
    }
    let graph = model.graph.unwrap_or_default();
    for value in graph.input.iter().chain(&graph.output) {
        if let Ok(port) = Port::from_proto(value) {
            read_again(&port);
        }
    }
});

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
