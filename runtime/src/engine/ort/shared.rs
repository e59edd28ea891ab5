use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use nezha_graphs::DType;
use nezha_graphs::proto::TensorProto;
use ort::session::builder::{PrepackedWeights, SessionBuilder};
use ort::value::{DynValue, Tensor as OrtTensor};

use crate::tensor::with_array;
use crate::{Model, Tensor, native};

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
                weights.push((initializer.name.clone(), Arc::new(owned(&tensor)?)));
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
        /// What `data_location` is where the elements are in another file.
        const EXTERNAL: i32 = 1;
        if initializer.data_location != EXTERNAL {
            return Some(initializer.raw_data.clone());
        }
        let entry = |key: &str| {
            let entries = &initializer.external_data;
            let found = entries.iter().find(|it| it.key == key);
            found.map(|it| it.value.as_str())
        };
        let file = self.file(entry("location")?)?;
        let start: usize = entry("offset").map_or(Ok(0), str::parse).ok()?;
        let length = entry("length").map_or(Ok(file.len().checked_sub(start)?), str::parse);
        let end = start.checked_add(length.ok()?)?;
        (end <= file.len()).then(|| file.slice(start..end))
    }

    /// A file of the model's own folder.
    fn file(&mut self, name: &str) -> Option<Bytes> {
        let mut parts = Path::new(name).components();
        let (Some(Component::Normal(_)), None) = (parts.next(), parts.next()) else {
            return None;
        };
        let map = || native::map(&self.folder.join(name)).ok();
        let mapped = self.mapped.entry(name.to_owned());
        mapped.or_insert_with(map).clone()
    }
}

fn tensor(initializer: &TensorProto, bytes: &[u8]) -> Option<Tensor> {
    let dtype = DType::from_onnx(initializer.data_type)?;
    let dims = initializer.dims.iter();
    let shape: Result<Vec<usize>, _> = dims.map(|it| usize::try_from(*it)).collect();
    Tensor::from_le_bytes(dtype, &shape.ok()?, bytes).ok()
}

/// A copy that ONNX Runtime may keep.
pub(super) fn owned(tensor: &Tensor) -> ort::Result<DynValue> {
    with_array!(tensor, array => {
        // A tensor's layout is standard, so its elements are one slice.
        let elements = array.as_slice().unwrap_or_default().to_vec();
        Ok(OrtTensor::from_array((array.shape(), elements))?.into_dyn())
    })
}
