//! `config.pbtxt` of a Triton model, for its ONNX Runtime backend.
//!
//! Fields and names are those of Triton's
//! [model configuration](https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html).

use std::fmt::Write;

use nezha_graphs::{DType, Dim, Head, Port, Signature, axes};

/// The largest batch that the server may put together.
const MAX_BATCH_SIZE: usize = 64;

/// How long a request may wait for others, in microseconds.
const MAX_QUEUE_DELAY: usize = 500;

/// The folder of a head's model in the repository, which is also its name in the server.
pub(super) fn model_name(head: Head) -> String {
    format!("nezha-{head}")
}

/// The text of `config.pbtxt`.
///
/// The server may join requests where every input and output has the batch as its first axis, and a
/// dynamic one; otherwise shapes are given whole and requests are run as they come.
pub(super) fn config_pbtxt(name: &str, signature: &Signature) -> String {
    let ports = || signature.inputs.iter().chain(&signature.outputs);
    let batched = ports().all(|port| {
        let first = port.shape.first();
        first.and_then(Dim::as_symbol) == Some(axes::BATCH)
    });
    let max_batch_size = if batched { MAX_BATCH_SIZE } else { 0 };
    let mut text = format!(
        "name: \"{name}\"\nbackend: \"onnxruntime\"\ndefault_model_filename: \"model.onnx\"\n\
         max_batch_size: {max_batch_size}\n"
    );
    for port in &signature.inputs {
        text += &tensor("input", port, batched);
    }
    for port in &signature.outputs {
        text += &tensor("output", port, batched);
    }
    if batched {
        // Infallible: a String takes everything.
        let _ = write!(
            text,
            "dynamic_batching {{\n  max_queue_delay_microseconds: {MAX_QUEUE_DELAY}\n}}\n"
        );
    }
    text + "instance_group [\n  {\n    count: 1\n    kind: KIND_AUTO\n  }\n]\n"
}

/// One input or output; the batch, where the server handles it, is not among its dimensions.
fn tensor(kind: &str, port: &Port, batched: bool) -> String {
    let dims = port.shape.iter().skip(usize::from(batched));
    let dims: Vec<String> = dims
        .map(|dim| match dim.as_fixed() {
            Some(size) => size.to_string(),
            None => "-1".to_owned(),
        })
        .collect();
    // A tensor of one number for each text has no dimensions left, which Triton wants said so.
    let (dims, reshape) = match dims.as_slice() {
        [] => ("1".to_owned(), "\n    reshape: { shape: [ ] }"),
        dims => (dims.join(", "), ""),
    };
    format!(
        "{kind} [\n  {{\n    name: \"{}\"\n    data_type: {}\n    dims: [ {dims} ]{reshape}\n  }}\n]\n",
        port.name,
        data_type(port.dtype),
    )
}

/// The name in `inference.DataType`.
fn data_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "TYPE_FP32",
        DType::F16 => "TYPE_FP16",
        DType::I64 => "TYPE_INT64",
        DType::I32 => "TYPE_INT32",
        DType::U8 => "TYPE_UINT8",
        DType::I8 => "TYPE_INT8",
        DType::Bool => "TYPE_BOOL",
    }
}
