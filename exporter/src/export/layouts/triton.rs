//! `config.pbtxt` of a Triton model, for its ONNX Runtime backend.
//!
//! Fields and names are those of Triton's
//! [model configuration](https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html).
//! The accelerator's parameters are those of its
//! [ONNX Runtime backend](https://github.com/triton-inference-server/onnxruntime_backend#onnx-runtime-with-tensorrt-optimization).

use std::num::NonZeroUsize;

use nezha_graphs::{Bindings, Config, DType, Dim, Head, Port, Precision, Signature, axes, setters};

use super::{Holds, Rules};

/// Settings of a Triton model's configuration, in addition to its signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TritonOptions {
    /// Number of instances of the model that run at the same time on each device; 1 if `None`.
    pub instances: Option<NonZeroUsize>,
    /// Whether the ONNX Runtime backend runs the graph in TensorRT on GPUs. Shape profiles are set,
    /// so that a new size of an input doesn't make TensorRT build another engine.
    pub tensorrt: bool,
}

impl TritonOptions {
    setters! {
        instances: impl Into<Option<NonZeroUsize>>,
        tensorrt: bool,
    }
}

/// A Triton model repository: a folder for each model.
pub(super) struct Triton;

impl Rules for Triton {
    fn name(&self) -> &'static str {
        "triton"
    }

    fn holds(&self) -> Holds {
        Holds::Repositories
    }

    fn folder(&self, head: Head, precision: Precision) -> Option<String> {
        Some(model_name(head, precision))
    }

    fn model_folder(&self) -> &'static str {
        // The version of the model.
        "1"
    }

    fn file_name(&self, _: Precision, stem: &str) -> String {
        // The stack accepts no other name.
        format!("{stem}.onnx")
    }

    fn refusal(&self, precision: Precision, triton: TritonOptions) -> Option<&'static str> {
        use Precision::{Int8, Q4, Q8, W8};
        match precision {
            Int8 | W8 | Q8 | Q4 if triton.tensorrt => {
                Some("TensorRT has no operators for quantized graphs: leave it out")
            }
            _ => None,
        }
    }

    fn more_files(
        &self,
        _: &Config,
        (head, precision): (Head, Precision),
        signature: &Signature,
        triton: TritonOptions,
    ) -> Vec<(String, String)> {
        let text = config_pbtxt(&model_name(head, precision), signature, triton);
        vec![("config.pbtxt".to_owned(), text)]
    }
}

/// The largest batch that the server may form.
const MAX_BATCH_SIZE: usize = 64;

/// How long a request may wait for others, in microseconds.
const MAX_QUEUE_DELAY: usize = 500;

/// The minimum, optimum and maximum number of tokens in TensorRT's profile.
const TOKENS: [usize; 3] = [1, 128, 512];

/// The minimum, optimum and maximum number of texts.
const TEXTS: [usize; 3] = [1, 8, MAX_BATCH_SIZE];

/// The minimum, optimum and maximum of all other axes: choices, and positions to score.
const OTHERS: [usize; 3] = [1, 4, 64];

/// The folder of a head's model in the repository, which is also the model's name in the server.
fn model_name(head: Head, precision: Precision) -> String {
    precision.stem(&format!("nezha-{head}"), '-')
}

/// The text of `config.pbtxt`.
///
/// If every input and output has the dynamic batch as its first axis, the server may batch
/// requests. Otherwise shapes are complete, and requests are run one by one.
fn config_pbtxt(name: &str, signature: &Signature, options: TritonOptions) -> String {
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
        text += &format!(
            "dynamic_batching {{\n  max_queue_delay_microseconds: {MAX_QUEUE_DELAY}\n}}\n"
        );
    }
    let instances = options.instances.map_or(1, NonZeroUsize::get);
    let kind = match options.tensorrt {
        true => "KIND_GPU",
        false => "KIND_AUTO",
    };
    text += &format!("instance_group [\n  {{\n    count: {instances}\n    kind: {kind}\n  }}\n]\n");
    if options.tensorrt {
        text += &accelerator(signature);
    }
    text
}

/// TensorRT's parameters, with profiles for the axes that are not fixed.
fn accelerator(signature: &Signature) -> String {
    let parameter = |(key, value): (String, String)| {
        format!("        parameters {{ key: \"{key}\" value: \"{value}\" }}\n")
    };
    let profiles = ["min", "opt", "max"].into_iter().zip(0..);
    let parameters: String = profiles
        .map(|(name, size)| {
            (
                format!("trt_profile_{name}_shapes"),
                shapes(signature, size),
            )
        })
        .filter(|(_, shapes)| !shapes.is_empty())
        .map(parameter)
        .collect();
    format!(
        "optimization {{\n  execution_accelerators {{\n    gpu_execution_accelerator [\n      {{\n        \
         name: \"tensorrt\"\n{parameters}      }}\n    ]\n  }}\n}}\n"
    )
}

/// The shapes of the inputs with dynamic axes, such as `input_ids:1x16,attention_mask:1x16`. `size`
/// is 0 for the minimum, 1 for the optimum and 2 for the maximum.
fn shapes(signature: &Signature, size: usize) -> String {
    let dims = signature.inputs.iter().flat_map(|port| &port.shape);
    let sizes: Bindings = dims
        .filter_map(Dim::as_symbol)
        .map(|axis| {
            let range = match axis {
                axes::BATCH => TEXTS,
                axes::SEQUENCE | axes::ENCODER => TOKENS,
                _ => OTHERS,
            };
            (axis.to_owned(), range[size])
        })
        .collect();
    let is_dynamic = |port: &&Port| port.shape.iter().any(|dim| dim.as_fixed().is_none());
    let shape = |port: &Port| {
        let dims = port
            .shape
            .iter()
            .map(|dim| dim.evaluate(&sizes).unwrap_or(1));
        let dims: Vec<String> = dims.map(|it| it.to_string()).collect();
        format!("{}:{}", port.name, dims.join("x"))
    };
    let shapes = signature.inputs.iter().filter(is_dynamic).map(shape);
    shapes.collect::<Vec<_>>().join(",")
}

/// One input or output. If the server handles the batch, its axis is not among the dimensions.
fn tensor(kind: &str, port: &Port, batched: bool) -> String {
    let dims = port.shape.iter().skip(usize::from(batched));
    let dims: Vec<String> = dims
        .map(|dim| match dim.as_fixed() {
            Some(size) => size.to_string(),
            None => "-1".to_owned(),
        })
        .collect();
    // A tensor with one number for each text has no dimensions left; Triton requires a reshape for
    // it.
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

/// The type's name in `inference.DataType`.
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
