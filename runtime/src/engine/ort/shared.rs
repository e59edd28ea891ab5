use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use nezha_graphs::proto::TensorProto;
use nezha_graphs::{DType, ExternalData, map_file};
use ort::session::builder::{PrepackedWeights, SessionBuilder};
use ort::value::{DynValue, Tensor as OrtTensor};

use crate::tensor::with_array;
use crate::{Model, Tensor};

/// Weights that the sessions of one model have together: as they are stored, and as the kernels
/// rearrange them. ONNX Runtime shares the latter only for initializers that it is handed.
pub(super) struct SharedWeights {
    weights: Vec<(String, Arc<DynValue>)>,
    prepacked: PrepackedWeights,
}

/// Smaller ones aren't worth it, and some decide shapes while the graph is optimised.
const SMALLEST: usize = 1 << 16;

impl SharedWeights {
    /// The large weights of a model, embedded or in files beside it.
    ///
    /// What can't be read is left for ONNX Runtime to complain about.
    pub(super) fn of(model: &Model) -> ort::Result<Self> {
        let graph = model.proto().graph.iter();
        let mut files = WeightFiles::beside(model.path());
        let mut weights = Vec::new();
        for initializer in graph.flat_map(|it| &it.initializer) {
            let bytes = files.elements(initializer);
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

/// The files beside a model that have its weights, each mapped once.
struct WeightFiles {
    folder: PathBuf,
    mapped: BTreeMap<String, Option<Bytes>>,
}

impl WeightFiles {
    fn beside(model: &Path) -> Self {
        Self {
            folder: model.parent().unwrap_or(Path::new("")).to_owned(),
            mapped: BTreeMap::new(),
        }
    }

    /// The elements of an initializer, row-major, little-endian.
    fn elements(&mut self, initializer: &TensorProto) -> Option<Bytes> {
        let Some(place) = ExternalData::of(initializer) else {
            return Some(initializer.raw_data.clone());
        };
        let file = self.file(&place)?;
        let Range { start, end } = place.range(file.len() as u64);
        let range = usize::try_from(start).ok()?..usize::try_from(end).ok()?;
        file.get(range.clone())?;
        Some(file.slice(range))
    }

    /// A file of the model's own folder.
    fn file(&mut self, place: &ExternalData<'_>) -> Option<Bytes> {
        if !place.is_beside_model() {
            return None;
        }
        let map = || map_file(self.folder.join(place.location)).ok();
        let mapped = self.mapped.entry(place.location.to_owned());
        mapped.or_insert_with(map).clone()
    }
}

fn tensor(initializer: &TensorProto, bytes: &[u8]) -> Option<Tensor> {
    let dtype = DType::from_onnx(initializer.data_type)?;
    let dims = initializer.dims.iter();
    let shape: Result<Vec<usize>, _> = dims.map(|it| usize::try_from(*it)).collect();
    Tensor::from_le_bytes(dtype, &shape.ok()?, bytes).ok()
}

/// The same tensor in ONNX Runtime; nothing is copied.
fn value(tensor: Tensor) -> ort::Result<DynValue> {
    with_array!(tensor.0, array => {
        let shape = array.shape().to_vec();
        // A tensor's layout is standard, so its elements are all that the vector has.
        let (elements, _) = array.into_raw_vec_and_offset();
        Ok(OrtTensor::from_array((shape, elements))?.into_dyn())
    })
}
