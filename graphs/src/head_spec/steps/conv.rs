use serde::{Deserialize, Serialize};

use crate::head_spec::place::Place;
use crate::head_spec::{Form, HeadSpecError, Tensors};

/// PyTorch's `Conv1d` over the tokens, with one output vector for each token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Conv {
    /// The module.
    pub module: String,
    /// Zeros before the first token and after the last; by default half of the kernel's span, which
    /// gives one vector for each token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<usize>,
    /// Distance between the kernel's columns, in tokens.
    #[serde(default = "one")]
    pub dilation: usize,
    /// The dimensions of the kernel, `[outputs, inputs, columns]`; `None` until they are read from
    /// the checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<[usize; 3]>,
    /// Whether it has a bias; `None` until this is read from the checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias: Option<bool>,
}

fn one() -> usize {
    1
}

impl Conv {
    /// The convolution of this module, padded to one vector for each token.
    pub fn new(module: impl Into<String>) -> Self {
        Self {
            module: module.into(),
            padding: None,
            dilation: 1,
            kernel: None,
            bias: None,
        }
    }

    /// Sets the distance between the kernel's columns, in tokens.
    #[must_use]
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.dilation = dilation;
        self
    }

    pub(super) fn resolve(
        &mut self,
        form: Form,
        tensors: &dyn Tensors,
        place: &Place,
    ) -> Result<Form, HeadSpecError> {
        let Form::Tokens(inputs) = form else {
            return Err(place.fault(format_args!("it reads tokens, not {form}")));
        };
        let weight = format!("{}.weight", self.module);
        let kernel = match self.kernel {
            Some(kernel) => kernel,
            None => {
                let shape = place.shape(tensors, &weight)?;
                let kernel = <[usize; 3]>::try_from(shape.as_slice());
                kernel.map_err(|_| {
                    place.fault(format_args!(
                        "tensor '{weight}' has shape {shape:?}, expected [outputs, inputs, columns]"
                    ))
                })?
            }
        };
        let [outputs, channels, columns] = kernel;
        if channels != inputs {
            return Err(place.fault(format_args!(
                "tensor '{weight}' takes {channels} numbers, and what is read gives {inputs}"
            )));
        }
        let reach = columns.saturating_sub(1) * self.dilation;
        let padding = self.padding.unwrap_or(reach / 2);
        if 2 * padding != reach || self.dilation == 0 {
            return Err(place.at("padding").fault(format_args!(
                "with {padding} zeros on each side, a kernel of {columns} columns {} apart does not give a \
                 vector for each token",
                self.dilation
            )));
        }
        let bias = format!("{}.bias", self.module);
        self.bias = self.bias.or(Some(tensors.shape(&bias).is_some()));
        self.padding = Some(padding);
        self.kernel = Some(kernel);
        Ok(Form::Tokens(outputs))
    }
}
