//! Compares the numbers that quantized initializers represent with the checkpoint's weights: none
//! may be off by more than half a step.

use std::collections::HashMap;

use bytes::Bytes;
use nezha_graphs::proto::TensorProto;

use super::read_back::Quantized;
use super::stored::StoredModel;
use super::{Difference, VerifyError};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::graph::{Content, Graph, Initializer};

/// Half a step, plus the rounding of single precision.
const ALLOWED: f64 = 0.5001;

/// Replaces a step of 0, which a row of zeros has.
const LEAST: f64 = 1e-30;

/// The result of comparing quantized weights.
#[derive(Default)]
pub(super) struct Rounding {
    /// The largest error in steps; `None` if nothing is quantized.
    pub worst: Option<f64>,
    pub differences: Vec<Difference>,
}

/// Compares the quantized initializers of `model`, by their names in `expected`. Initializers of
/// another size are skipped, since comparing the bytes reports them.
pub(super) fn rounding(
    checkpoint: &Checkpoint,
    expected: &Graph,
    model: &StoredModel,
) -> Result<Rounding, VerifyError> {
    let mut found = Rounding::default();
    let stored = Stored::new(expected, model);
    for initializer in &expected.initializers {
        let content = &initializer.content;
        let Content::Weight { name, .. } = content else {
            continue;
        };
        let Some(matrix) = Quantized::read(checkpoint, content, |it| stored.bytes(it))? else {
            continue;
        };
        let label = expected.value_name(initializer.value);
        let (worst, difference) = compare(&matrix, checkpoint, name, label)?;
        found.worst = Some(found.worst.map_or(worst, |it| it.max(worst)));
        found.differences.extend(difference);
    }
    Ok(found)
}

/// The largest error in steps, and the first element whose error is too large.
fn compare(
    matrix: &Quantized,
    checkpoint: &Checkpoint,
    name: &str,
    label: &str,
) -> Result<(f64, Option<Difference>), VerifyError> {
    let (mut worst, mut row, mut first) = (0.0, 0, None);
    checkpoint.read_f32_chunks(name, matrix.columns, |weights| {
        for (column, weight) in weights.iter().map(|it| f64::from(*it)).enumerate() {
            let (found, step) = matrix.at(row, column);
            let distance = (found - weight).abs() / step.max(LEAST);
            // This is false for NaN too.
            let is_near = distance <= ALLOWED;
            if !is_near && first.is_none() {
                first = Some(Difference::Rounding {
                    name: label.to_owned(),
                    index: vec![row, column],
                    weight: weight.to_string(),
                    found: found.to_string(),
                    step: step.to_string(),
                });
            }
            worst = f64::max(worst, distance);
        }
        row += 1;
        Ok::<(), CheckpointError>(())
    })?;
    Ok((worst, first))
}

/// The initializers of an artifact, by their contents in the checkpoint's graph.
struct Stored<'m> {
    model: &'m StoredModel,
    tensors: HashMap<&'m Content, &'m TensorProto>,
}

impl<'m> Stored<'m> {
    fn new(expected: &'m Graph, model: &'m StoredModel) -> Self {
        let tensors = model.graph.initializer.iter();
        let by_name: HashMap<&str, &TensorProto> =
            tensors.map(|it| (it.name.as_str(), it)).collect();
        let pair = |it: &'m Initializer| {
            let tensor = by_name.get(expected.value_name(it.value))?;
            Some((&it.content, *tensor))
        };
        Self {
            model,
            tensors: expected.initializers.iter().filter_map(pair).collect(),
        }
    }

    /// The bytes of the initializer with this content.
    fn bytes(&self, content: &Content) -> Result<Option<Bytes>, VerifyError> {
        let tensor = self.tensors.get(content);
        tensor.map(|it| self.model.elements(it)).transpose()
    }
}
