//! From a model to tract's graph, each large weight copied once: from where it lies into the tensor that
//! tract computes with. tract's own reader would have another copy of all of them, and finds external
//! weights in files only.

use std::collections::HashSet;
use std::sync::Arc;

use nezha_graphs::proto::TensorProto;
use nezha_graphs::{DType, ExternalData, Initializer, replace_initializers};
use tract_onnx::model::ParseResult;
use tract_onnx::prelude::{Framework, InferenceModel, TractError, TractResult, TypedFact};
use tract_onnx::tract_hir::infer::InferenceFact;
use tract_onnx::tract_hir::ops::konst::Const;

use super::{Value, tensor_of};
use crate::{Model, Tensor};

/// Smaller weights are read with the graph.
const SMALLEST: usize = 1 << 14;

/// The graph, as the file has it.
pub(super) fn read(model: &Model) -> TractResult<InferenceModel> {
    let initializers = model.proto().graph.iter().flat_map(|it| &it.initializer);
    let apart: Vec<bool> = initializers.clone().map(is_apart).collect();
    let rest = replace_initializers(&model.bytes()?, |number| match apart.get(number) {
        Some(true) => Initializer::Omit,
        _ => Initializer::Keep,
    })?;
    let onnx = tract_onnx::onnx()
        .with_ignore_output_shapes(true)
        .with_ignore_value_info(true);
    let proto = onnx.proto_model_for_read(&mut rest.as_slice())?;
    let ParseResult {
        model: mut graph,
        unresolved_inputs,
        outlets_by_name,
    } = onnx.parse(&proto, None)?;

    let mut weights = model.weights();
    let mut resolved = HashSet::new();
    for (initializer, _) in initializers.zip(apart).filter(|(_, apart)| *apart) {
        resolved.insert(initializer.name.as_str());
        let Some(outlet) = outlets_by_name.get(&initializer.name) else {
            // Nothing reads it.
            continue;
        };
        let tensor = Arc::new(tensor(initializer, &weights.of(initializer)?)?);
        let fact = TypedFact::try_from(Arc::clone(&tensor))?;
        graph.set_outlet_fact(*outlet, InferenceFact::from(fact))?;
        graph.node_mut(outlet.node).op = Box::new(Const::new(tensor)?);
        graph.inputs.retain(|it| it != outlet);
    }
    let mut unresolved = unresolved_inputs.iter();
    match unresolved.find(|it| !resolved.contains(it.as_str())) {
        None => Ok(graph),
        Some(name) => Err(TractError::msg(format!("nothing makes its input '{name}'"))),
    }
}

/// Whether an initializer is put into the graph by itself.
fn is_apart(initializer: &TensorProto) -> bool {
    let large = initializer.raw_data.len() >= SMALLEST;
    let known = DType::from_onnx(initializer.data_type).is_some();
    ExternalData::of(initializer).is_some() || (large && known)
}

fn tensor(initializer: &TensorProto, bytes: &[u8]) -> TractResult<Value> {
    let name = &initializer.name;
    let refused = |reason: &str| TractError::msg(format!("initializer '{name}': {reason}"));
    let dtype = DType::from_onnx(initializer.data_type);
    let dtype = dtype.ok_or_else(|| refused("external, and of no type that is known"))?;
    let sizes = initializer.dims.iter().map(|it| usize::try_from(*it));
    let shape: Result<Vec<usize>, _> = sizes.collect();
    let shape = shape.map_err(|_| refused("a size below zero"))?;
    let tensor = Tensor::from_le_bytes(dtype, &shape, bytes);
    tensor_of(&tensor.map_err(|error| refused(&error.to_string()))?)
}
