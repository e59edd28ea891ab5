//! tract: ONNX in pure Rust, on the CPU, in float32 and on the calling thread.
//!
//! tract panics where others return an error: on outputs that no node makes, on some operators it
//! can't handle, on sizes that don't fit. A model file is not to end the program, so loading and
//! running catch panics and turn them into errors. Nothing is shared that a panic could leave half
//! written: loading builds everything anew, a run has its own state over an immutable plan.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use nezha_graphs::{Dim, Port};
use tract_onnx::prelude::{
    Datum, DatumType, Framework, InferenceModel, InferenceModelExt, IntoRunnable, TDim, TValue,
    TVec, ToDim, TractResult, TypedRunnableModel,
};
use tract_onnx::tract_hir::infer::InferenceFact;

use super::{Engine, EngineError, EngineKind};
use crate::tensor::{Element, with_array, with_element};
use crate::{Model, Tensor, Tensors};

/// tract doesn't say its version; this is the one that the workspace pins.
const VERSION: &str = "0.23.9";

type Value = tract_onnx::prelude::Tensor;

/// A model in tract, its batch and sequence symbolic.
pub(super) struct TractEngine {
    plan: Arc<TypedRunnableModel>,
    description: String,
    inputs: Vec<String>,
    outputs: Vec<Port>,
}

impl TractEngine {
    pub(super) fn load(model: &Model) -> Result<Self, EngineError> {
        let loaded = caught(|| plan(model));
        let (plan, inputs) = loaded.map_err(|reason| EngineError::Load {
            engine: EngineKind::Tract,
            path: model.path().to_path_buf(),
            reason,
        })?;
        Ok(Self {
            plan,
            description: format!("tract {VERSION} (CPU)"),
            inputs,
            outputs: model.signature().outputs.clone(),
        })
    }
}

impl Engine for TractEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Tract
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn run(&self, inputs: &Tensors) -> Result<Tensors, EngineError> {
        let values = caught(|| {
            let inputs = self.inputs.iter().filter_map(|name| inputs.get(name));
            self.plan
                .run(inputs.map(value).collect::<TractResult<_>>()?)
        });
        let values = values.map_err(|reason| EngineError::Run {
            engine: EngineKind::Tract,
            reason,
        })?;
        let outputs = self.outputs.iter().zip(values);
        outputs
            .map(|(port, value)| Ok((port.name.as_str(), tensor(&value, port)?)))
            .collect()
    }
}

/// Runs `work`; its error or panic becomes a text.
fn caught<R>(work: impl FnOnce() -> TractResult<R>) -> Result<R, String> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(answer) => answer.map_err(|error| format!("{error:#}")),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("panicked: {}", text.unwrap_or("no message")))
        }
    }
}

/// The optimised plan, and the names of its inputs in its order.
fn plan(model: &Model) -> TractResult<(Arc<TypedRunnableModel>, Vec<String>)> {
    let mut graph = tract_onnx::onnx()
        .with_ignore_output_shapes(true)
        .with_ignore_value_info(true)
        .model_for_path(model.path())?;
    let outlets = graph.input_outlets()?.to_vec();
    let names: Vec<String> = outlets
        .iter()
        .map(|it| graph.node(it.node).name.clone())
        .collect();
    for (index, name) in names.iter().enumerate() {
        let port = model.signature().input(name)?;
        let fact = fact(&graph, port)?;
        graph.set_input_fact(index, fact)?;
    }
    Ok((graph.into_optimized()?.into_runnable()?, names))
}

/// An input's type and shape; tract needs a name for every axis without a number.
fn fact(graph: &InferenceModel, port: &Port) -> TractResult<InferenceFact> {
    let symbols = &graph.symbols;
    let dim = |dim: &Dim| match (dim.as_fixed(), dim.as_symbol()) {
        (Some(number), _) => Ok(number.to_dim()),
        (None, Some(name)) => Ok(symbols.sym(name).to_dim()),
        (None, None) => symbols.parse_tdim(dim.to_string()),
    };
    let shape: TVec<TDim> = port.shape.iter().map(dim).collect::<TractResult<_>>()?;
    let dtype = with_element!(port.dtype, T => T::datum_type());
    Ok(InferenceFact::dt_shape(dtype, shape))
}

fn value(tensor: &Tensor) -> TractResult<TValue> {
    with_array!(tensor, array => {
        // A tensor's layout is standard, so its elements are one slice.
        let elements = array.as_slice().unwrap_or_default();
        Ok(Value::from_shape(array.shape(), elements)?.into())
    })
}

/// A copy of an output. Whole numbers that tract computes from shapes are dimensions to it.
fn tensor(value: &Value, port: &Port) -> Result<Tensor, EngineError> {
    fn copy<T: Element + Datum>(value: &Value) -> Option<Tensor> {
        let value = match value.datum_type() {
            DatumType::TDim => value.cast_to::<T>().ok()?,
            _ => std::borrow::Cow::Borrowed(value),
        };
        let array = value.to_plain_array_view::<T>().ok()?;
        Tensor::from_elements(array.shape(), array.iter().copied().collect()).ok()
    }
    with_element!(port.dtype, T => copy::<T>(value)).ok_or_else(|| EngineError::Output {
        engine: EngineKind::Tract,
        name: port.name.clone(),
        expected: port.dtype,
        found: format!("{:?}{:?}", value.datum_type(), value.shape()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_that_the_workspace_pins() {
        let manifest = include_str!("../../../Cargo.toml");
        let pin = format!("tract-onnx = \"={VERSION}\"");
        assert!(manifest.contains(&pin), "Cargo.toml has no line {pin}");
    }
}
