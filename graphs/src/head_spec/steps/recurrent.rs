use serde::{Deserialize, Serialize};

use crate::head_spec::place::Place;
use crate::head_spec::{Form, HeadSpecError, Tensors};

/// PyTorch's LSTM or GRU over the tokens, with PyTorch's parameter names: `weight_ih_l0` and so on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Recurrent {
    /// The module.
    pub module: String,
    /// Whether padding is skipped, as by `pack_padded_sequence`; the outputs of padding are then 0.
    /// Without it, padding is read like tokens.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub packed: bool,
    /// Which of its outputs are used.
    #[serde(default, skip_serializing_if = "RecurrentOutput::is_default")]
    pub gives: RecurrentOutput,
    /// The sizes; `None` until they are read from the checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<RecurrentShape>,
}

/// Which outputs of an LSTM or a GRU are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecurrentOutput {
    /// The state after each token; if bidirectional, the states of both directions concatenated.
    #[default]
    Tokens,
    /// The last state of the last layer, PyTorch's `h_n`; if bidirectional, those of both
    /// directions concatenated.
    Final,
}

/// The sizes of an LSTM or a GRU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RecurrentShape {
    /// Size of the state of one direction.
    pub hidden: usize,
    /// Number of layers.
    pub layers: usize,
    /// Whether a second direction reads the tokens from the last to the first.
    pub bidirectional: bool,
    /// Whether it has biases.
    pub bias: bool,
}

impl RecurrentOutput {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Recurrent {
    /// The LSTM or GRU of this module, which reads padding like tokens.
    pub fn new(module: impl Into<String>) -> Self {
        Self {
            module: module.into(),
            packed: false,
            gives: RecurrentOutput::default(),
            shape: None,
        }
    }

    /// Skips padding.
    #[must_use]
    pub fn packed(mut self) -> Self {
        self.packed = true;
        self
    }

    /// Sets which outputs are used.
    #[must_use]
    pub fn gives(mut self, gives: RecurrentOutput) -> Self {
        self.gives = gives;
        self
    }

    /// The suffixes of the parameter names in a layer, one for each direction.
    pub fn suffixes(&self, layer: usize) -> Vec<String> {
        let both = self.shape.is_some_and(|it| it.bidirectional);
        let reverse = both.then(|| format!("l{layer}_reverse"));
        [format!("l{layer}")].into_iter().chain(reverse).collect()
    }

    /// Reads the sizes from the tensors of a cell with this many gates, and returns the form of the
    /// result.
    pub(super) fn resolve(
        &mut self,
        gates: usize,
        form: Form,
        tensors: &dyn Tensors,
        place: &Place,
    ) -> Result<Form, HeadSpecError> {
        let Form::Tokens(inputs) = form else {
            return Err(place.fault(format_args!("it reads tokens, not {form}")));
        };
        let shape = match self.shape {
            Some(shape) => shape,
            None => self.shape_of(gates, inputs, tensors, place)?,
        };
        self.shape = Some(shape);
        let width = shape.hidden * if shape.bidirectional { 2 } else { 1 };
        Ok(match self.gives {
            RecurrentOutput::Tokens => Form::Tokens(width),
            RecurrentOutput::Final => Form::Text(width),
        })
    }

    fn shape_of(
        &self,
        gates: usize,
        inputs: usize,
        tensors: &dyn Tensors,
        place: &Place,
    ) -> Result<RecurrentShape, HeadSpecError> {
        let name = |part: &str| format!("{}.{part}", self.module);
        let has = |part: &str| tensors.shape(&name(part)).is_some();
        let [_, hidden] = place.matrix(tensors, &name("weight_hh_l0"))?;
        let [rows, columns] = place.matrix(tensors, &name("weight_ih_l0"))?;
        if rows != gates * hidden {
            return Err(place.fault(format_args!(
                "'{}' has {rows} rows, and {gates} gates of {hidden} are {}: is it another kind?",
                name("weight_ih_l0"),
                gates * hidden
            )));
        }
        if columns != inputs {
            return Err(place.fault(format_args!(
                "'{}' takes {columns} numbers, and what is read gives {inputs}",
                name("weight_ih_l0")
            )));
        }
        if has("weight_hr_l0") {
            return Err(place.fault("states that are projected (proj_size) are not supported"));
        }
        let layers = (1..).take_while(|layer| has(&format!("weight_ih_l{layer}")));
        Ok(RecurrentShape {
            hidden,
            layers: 1 + layers.count(),
            bidirectional: has("weight_ih_l0_reverse"),
            bias: has("bias_ih_l0"),
        })
    }
}
