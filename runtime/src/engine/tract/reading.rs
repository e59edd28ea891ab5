//! Converts a model to tract's graph. Each large weight is copied once, from where it is stored to
//! the tensor that tract computes with; embedding tables are not copied. tract's own reader would
//! copy all of them once more, and finds external weights only in files.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use nezha_graphs::proto::TensorProto;
use nezha_graphs::{DType, ExternalData, Initializer, release_pages, replace_initializers};
use tract_onnx::model::ParseResult;
use tract_onnx::prelude::{Datum, Framework, InferenceModel, TractError, TractResult, TypedFact};
use tract_onnx::tract_hir::infer::InferenceFact;
use tract_onnx::tract_hir::ops::konst::Const;

use super::rows::{self, Table};
use super::{Value, tensor_of};
use crate::tensor::with_element;
use crate::{Model, Tensor};

/// Smaller weights are read with the graph.
const SMALLEST: usize = 1 << 14;

/// Reads the graph as the file has it.
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
        let bytes = weights.of(initializer)?;
        let table = model
            .weights_are_shared()
            .then(|| table(initializer, &bytes));
        if let Some(table) = table.flatten()
            && rows::replace(&mut graph, *outlet, &table)?
        {
            graph.inputs.retain(|it| it != outlet);
            continue;
        }
        let tensor = Arc::new(tensor(initializer, &bytes)?);
        release_pages(&bytes);
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

/// Whether an initializer is left out of the graph's bytes and added as a tensor.
fn is_apart(initializer: &TensorProto) -> bool {
    let large = initializer.raw_data.len() >= SMALLEST;
    let known = DType::from_onnx(initializer.data_type).is_some();
    ExternalData::of(initializer).is_some() || (large && known)
}

/// A table of an initializer, if it is a matrix of numbers that the processor can read as they are
/// stored.
fn table(initializer: &TensorProto, bytes: &Bytes) -> Option<Table> {
    let dtype = DType::from_onnx(initializer.data_type).filter(|it| *it != DType::Bool)?;
    let sizes = initializer.dims.iter().map(|it| usize::try_from(*it).ok());
    let sizes: Vec<usize> = sizes.collect::<Option<_>>()?;
    let &[rows, width] = sizes.as_slice() else {
        return None;
    };
    let length = rows.checked_mul(width)?.checked_mul(dtype.size())?;
    (cfg!(target_endian = "little") && bytes.len() == length).then(|| Table {
        dtype: with_element!(dtype, T => T::datum_type()),
        rows,
        width,
        bytes: bytes.clone(),
    })
}

fn tensor(initializer: &TensorProto, bytes: &[u8]) -> TractResult<Value> {
    let name = &initializer.name;
    let refused = |reason: &str| TractError::msg(format!("initializer '{name}': {reason}"));
    let dtype = DType::from_onnx(initializer.data_type);
    let dtype = dtype.ok_or_else(|| refused("external, and of no type that is known"))?;
    let sizes = initializer.dims.iter().map(|it| usize::try_from(*it));
    let shape: Result<Vec<usize>, _> = sizes.collect();
    let shape = shape.map_err(|_| refused("a size below zero"))?;
    // One copy instead of two if the processor's byte order is that of the file.
    let length = shape
        .iter()
        .try_fold(dtype.size(), |a, b| a.checked_mul(*b));
    if cfg!(target_endian = "little") && dtype != DType::Bool && length == Some(bytes.len()) {
        let mut tensor = Value::zero_dt(with_element!(dtype, T => T::datum_type()), &shape)?;
        tensor.as_bytes_mut().copy_from_slice(bytes);
        return Ok(tensor);
    }
    let tensor = Tensor::from_le_bytes(dtype, &shape, bytes);
    tensor_of(&tensor.map_err(|error| refused(&error.to_string()))?)
}
