use std::fmt;

use super::{HeadSpecError, Tensors};

/// The path of a field in a spec, such as `outputs[0].steps[1].linear`, for errors.
#[derive(Clone, Debug)]
pub(super) struct Place(String);

impl Place {
    pub(super) fn root() -> Self {
        Self(String::new())
    }

    /// The field `name` inside of this one.
    pub(super) fn at(&self, name: &str) -> Self {
        match self.0.as_str() {
            "" => Self(name.to_owned()),
            path => Self(format!("{path}.{name}")),
        }
    }

    /// Element `i` of this list.
    pub(super) fn index(&self, i: usize) -> Self {
        Self(format!("{}[{i}]", self.0))
    }

    /// The error that something is wrong with this field.
    pub(super) fn fault(&self, reason: impl fmt::Display) -> HeadSpecError {
        HeadSpecError::Field {
            field: self.0.clone(),
            reason: reason.to_string(),
            source: None,
        }
    }

    /// The dimensions of the tensor `name`, which must exist.
    pub(super) fn shape(
        &self,
        tensors: &dyn Tensors,
        name: &str,
    ) -> Result<Vec<usize>, HeadSpecError> {
        let shape = tensors.shape(name);
        shape.ok_or_else(|| self.fault(format_args!("the checkpoint has no tensor '{name}'")))
    }

    /// The rows and columns of the matrix `name`, which must exist.
    pub(super) fn matrix(
        &self,
        tensors: &dyn Tensors,
        name: &str,
    ) -> Result<[usize; 2], HeadSpecError> {
        let shape = self.shape(tensors, name)?;
        let matrix = shape.as_slice().try_into();
        matrix.map_err(|_| {
            self.fault(format_args!(
                "tensor '{name}' has shape {shape:?}, expected a matrix"
            ))
        })
    }

    /// The elements of the tensor `name`, which must exist.
    pub(super) fn values(
        &self,
        tensors: &dyn Tensors,
        name: &str,
    ) -> Result<Vec<f32>, HeadSpecError> {
        tensors.values(name).map_err(|source| HeadSpecError::Field {
            field: self.0.clone(),
            reason: format!("tensor '{name}' can't be read"),
            source: Some(source),
        })
    }
}
