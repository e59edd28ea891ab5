use std::sync::Arc;

use nezha_graphs::DType;
use nezha_graphs::proto::TensorProto;
use ort::session::builder::{PrepackedWeights, SessionBuilder};
use ort::value::{DynValue, Tensor};

use crate::Model;

/// Weights that the sessions of one model have together: as they are stored, and as the kernels
/// rearrange them. ONNX Runtime shares the latter only for initializers that it is handed.
pub(super) struct SharedWeights {
    weights: Vec<(String, Arc<DynValue>)>,
    prepacked: PrepackedWeights,
}

/// Smaller ones aren't worth it, and some decide shapes while the graph is optimised.
const SMALLEST: usize = 1 << 16;

impl SharedWeights {
    /// The float32 weights that are embedded in the model.
    pub(super) fn of(model: &Model) -> ort::Result<Self> {
        let graph = model.proto().graph.iter();
        let large =
            |it: &&TensorProto| it.data_type == DType::F32.onnx() && it.raw_data.len() >= SMALLEST;
        let weights = graph.flat_map(|it| &it.initializer).filter(large);
        Ok(Self {
            weights: weights
                .map(|it| Ok((it.name.clone(), Arc::new(value(it)?))))
                .collect::<ort::Result<_>>()?,
            prepacked: PrepackedWeights::new(),
        })
    }

    pub(super) fn give_to(&self, mut builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        for (name, value) in &self.weights {
            builder = builder.with_initializer(name, Arc::clone(value))?;
        }
        Ok(builder.with_prepacked_weights(&self.prepacked)?)
    }
}

fn value(tensor: &TensorProto) -> ort::Result<DynValue> {
    let (numbers, _) = tensor.raw_data.as_chunks::<4>();
    let numbers: Vec<f32> = numbers.iter().map(|it| f32::from_le_bytes(*it)).collect();
    Ok(Tensor::from_array((tensor.dims.clone(), numbers))?.into_dyn())
}
