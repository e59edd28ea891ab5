use std::collections::BTreeMap;

use ndarray::{Array2, ArrayD, ArrayView, Dimension, Ix1, Ix2, IxDyn};

use super::{ReferenceError, ops};
use crate::checkpoint::{Checkpoint, WeightInfo};

/// Every weight of a checkpoint, by canonical name.
///
/// Weights are kept in f32, which is half the memory of f64, and converted to f64 without loss
/// where they are used.
pub(super) struct Weights(BTreeMap<String, ArrayD<f32>>);

impl Weights {
    /// Loads all weights; `read` returns the elements of each.
    pub(super) fn load<E: From<ReferenceError>>(
        checkpoint: &Checkpoint,
        read: impl Fn(&WeightInfo) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let mut weights = BTreeMap::new();
        for info in checkpoint.weights() {
            let values = read(info)?;
            let found = vec![values.len()];
            let array = ArrayD::from_shape_vec(IxDyn(&info.shape), values).map_err(|_| {
                ReferenceError::WeightShape {
                    name: info.name.clone(),
                    expected: info.shape.clone(),
                    found,
                }
            })?;
            weights.insert(info.name.clone(), array);
        }
        Ok(Self(weights))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The root module, which contains the whole network.
    pub(super) fn root(&self) -> Module<'_> {
        Module {
            weights: self,
            path: String::new(),
        }
    }

    /// The module whose weights' names begin with `path` and a dot.
    pub(super) fn module(&self, path: &str) -> Module<'_> {
        self.root().child(path)
    }
}

/// A module of the network: a prefix of weight names.
pub(super) struct Module<'a> {
    weights: &'a Weights,
    path: String,
}

impl<'a> Module<'a> {
    pub(super) fn child(&self, name: &str) -> Module<'a> {
        Module {
            weights: self.weights,
            path: self.full_name(name),
        }
    }

    fn full_name(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    /// The weight `name` of this module.
    pub(super) fn weight<D: Dimension>(
        &self,
        name: &str,
        shape: D,
    ) -> Result<ArrayView<'a, f32, D>, ReferenceError> {
        let name = self.full_name(name);
        let expected = shape.slice().to_vec();
        let Some(array) = self.weights.0.get(&name) else {
            return Err(ReferenceError::MissingWeight { name, expected });
        };
        match array.view().into_dimensionality::<D>() {
            Ok(view) if view.raw_dim() == shape => Ok(view),
            _ => Err(ReferenceError::WeightShape {
                name,
                expected,
                found: array.shape().to_vec(),
            }),
        }
    }

    /// `x·Wᵀ + b` of the linear layer `name`: `[rows, in]` → `[rows, width]`, W `[width, in]`.
    ///
    /// PyTorch's `nn.Linear`.
    pub(super) fn linear(
        &self,
        name: &str,
        x: &Array2<f64>,
        width: usize,
    ) -> Result<Array2<f64>, ReferenceError> {
        let layer = self.child(name);
        let weight = layer.weight("weight", Ix2(width, x.ncols()))?;
        let bias = layer.weight("bias", Ix1(width))?;
        Ok(x.dot(&weight.mapv(f64::from).t()) + bias.mapv(f64::from))
    }

    /// The LayerNorm `name` over the rows of x, `[rows, width]` → `[rows, width]`.
    pub(super) fn layer_norm(
        &self,
        name: &str,
        x: &Array2<f64>,
        epsilon: f32,
    ) -> Result<Array2<f64>, ReferenceError> {
        let layer = self.child(name);
        let gamma = layer.weight("weight", Ix1(x.ncols()))?.mapv(f64::from);
        let beta = layer.weight("bias", Ix1(x.ncols()))?.mapv(f64::from);
        Ok(ops::layer_norm(x, &gamma, &beta, f64::from(epsilon)))
    }
}
