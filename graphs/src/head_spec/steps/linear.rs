use serde::{Deserialize, Serialize};

use crate::head_spec::place::Place;
use crate::head_spec::{Form, HeadSpecError, Tensors};

/// `x·Wᵀ + b` of each vector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Linear {
    /// The module whose `weight` and, if it exists, `bias` are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The name of the tensor W, if it is not the module's `weight`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// The name of the tensor b, if it is not the module's `bias`. If there is neither, nothing is
    /// added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bias: Option<String>,
    /// Which axis of W is which.
    #[serde(skip_serializing_if = "MatrixLayout::is_default")]
    pub layout: MatrixLayout,
    /// The number of outputs; `None` until it is read from the tensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
}

/// Which axis of a matrix is which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatrixLayout {
    /// `[outputs, inputs]`, as in PyTorch's linear layers.
    #[default]
    OutIn,
    /// `[inputs, outputs]`, as in a parameter that code multiplies with directly.
    InOut,
}

impl MatrixLayout {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Linear {
    /// The linear layer of this module.
    pub fn new(module: impl Into<String>) -> Self {
        Self {
            module: Some(module.into()),
            ..Self::default()
        }
    }

    /// `x·Wᵀ` with this tensor W, without a bias.
    pub fn of_weight(weight: impl Into<String>) -> Self {
        Self {
            weight: Some(weight.into()),
            ..Self::default()
        }
    }

    /// Sets the name of the tensor b.
    #[must_use]
    pub fn bias(mut self, bias: impl Into<String>) -> Self {
        self.bias = Some(bias.into());
        self
    }

    /// Sets which axis of the matrix is which.
    #[must_use]
    pub fn layout(mut self, layout: MatrixLayout) -> Self {
        self.layout = layout;
        self
    }

    /// The name of the tensor W; empty if the spec is not resolved.
    pub fn weight_name(&self) -> &str {
        self.weight.as_deref().unwrap_or_default()
    }

    /// The number of outputs; 0 if the spec is not resolved.
    pub fn outputs(&self) -> usize {
        self.width.unwrap_or(0)
    }

    /// Fills in the names of the tensors, and returns the form of the result.
    pub(super) fn resolve(
        &mut self,
        form: Form,
        tensors: &dyn Tensors,
        place: &Place,
    ) -> Result<Form, HeadSpecError> {
        if let Some(module) = self.module.take() {
            let weight = self.weight.take().unwrap_or(format!("{module}.weight"));
            let bias = format!("{module}.bias");
            if self.bias.is_none() && tensors.shape(&bias).is_some() {
                self.bias = Some(bias);
            }
            self.weight = Some(weight);
        }
        let Some(weight) = &self.weight else {
            return Err(place.fault("neither module nor weight is named"));
        };
        let inputs = form.width();
        let width = match self.width {
            Some(width) => width,
            None => {
                let [rows, columns] = place.matrix(tensors, weight)?;
                let (width, found) = match self.layout {
                    MatrixLayout::OutIn => (rows, columns),
                    MatrixLayout::InOut => (columns, rows),
                };
                if found != inputs {
                    return Err(place.fault(format_args!(
                        "tensor '{weight}' [{rows}, {columns}] takes {found} numbers, and what is \
                         read gives {inputs}"
                    )));
                }
                width
            }
        };
        self.width = Some(width);
        let form = form.with_width(width);
        form.ok_or_else(|| place.fault("a linear layer takes vectors"))
    }
}
