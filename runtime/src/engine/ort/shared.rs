use std::sync::Arc;

use nezha_graphs::DType;
use nezha_graphs::proto::TensorProto;
use ort::session::builder::{PrepackedWeights, SessionBuilder};
use ort::value::{DynValue, Tensor as OrtTensor};

use crate::tensor::with_array;
use crate::{Model, Tensor};

/// Weights that the sessions of one model share, as they are stored and as the kernels rearrange
/// them. ONNX Runtime shares rearranged weights only for initializers that are given to it.
pub(super) struct SharedWeights {
    weights: Vec<(String, Arc<DynValue>)>,
    prepacked: PrepackedWeights,
}

/// Smaller weights are not worth sharing, and the graph's shapes may depend on them during
/// optimization.
const SMALLEST: usize = 1 << 16;

impl SharedWeights {
    /// The large weights of a model, embedded or in files beside it.
    ///
    /// A weight that can't be read is left to ONNX Runtime, which then reports it.
    pub(super) fn of(model: &Model) -> ort::Result<Self> {
        let graph = model.proto().graph.iter();
        let mut stored = model.weights();
        let mut weights = Vec::new();
        for initializer in graph.flat_map(|it| &it.initializer) {
            let bytes = stored.of(initializer).ok();
            let large = bytes.filter(|it| it.len() >= SMALLEST);
            if let Some(tensor) = large.and_then(|it| tensor(initializer, &it)) {
                weights.push((initializer.name.clone(), Arc::new(value(tensor)?)));
            }
        }
        Ok(Self {
            weights,
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

fn tensor(initializer: &TensorProto, bytes: &[u8]) -> Option<Tensor> {
    let dtype = DType::from_onnx(initializer.data_type)?;
    let dims = initializer.dims.iter();
    let shape: Result<Vec<usize>, _> = dims.map(|it| usize::try_from(*it)).collect();
    Tensor::from_le_bytes(dtype, &shape.ok()?, bytes).ok()
}

/// The same tensor in ONNX Runtime, without a copy.
fn value(tensor: Tensor) -> ort::Result<DynValue> {
    with_array!(tensor.0, array => {
        let shape = array.shape().to_vec();
        // A tensor's layout is standard, so the vector holds exactly its elements.
        let (elements, _) = array.into_raw_vec_and_offset();
        Ok(OrtTensor::from_array((shape, elements))?.into_dyn())
    })
}
