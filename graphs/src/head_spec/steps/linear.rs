use serde::{Deserialize, Serialize};

use crate::head_spec::place::Place;
use crate::head_spec::{Form, HeadSpecError, Tensors};

/// `x·Wᵀ + b`, of every vector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Linear {
    /// The module whose `weight` and `bias` are read; the bias where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The tensor W, where it is not the module's `weight`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// The tensor b, where it is not the module's `bias`; none where neither is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bias: Option<String>,
    /// How W lies.
    #[serde(skip_serializing_if = "MatrixLayout::is_default")]
    pub layout: MatrixLayout,
    /// How many numbers it gives; as the tensor says if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
}

/// Which axis of a matrix is which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatrixLayout {
    /// [outputs, inputs], as PyTorch's linear layers have it.
    #[default]
    OutIn,
    /// [inputs, outputs], as a parameter has it that code multiplies with.
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

    /// `x·Wᵀ` of this tensor, without a bias.
    pub fn of_weight(weight: impl Into<String>) -> Self {
        Self {
            weight: Some(weight.into()),
            ..Self::default()
        }
    }

    /// Adds this tensor.
    #[must_use]
    pub fn bias(mut self, bias: impl Into<String>) -> Self {
        self.bias = Some(bias.into());
        self
    }

    /// Says how the matrix lies.
    #[must_use]
    pub fn layout(mut self, layout: MatrixLayout) -> Self {
        self.layout = layout;
        self
    }

    /// The tensor W; empty in a spec that is not resolved.
    pub fn weight_name(&self) -> &str {
        self.weight.as_deref().unwrap_or_default()
    }

    /// How many numbers it gives; 0 in a spec that is not resolved.
    pub fn outputs(&self) -> usize {
        self.width.unwrap_or(0)
    }

    /// Names the tensors, and gives what becomes of a value.
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
