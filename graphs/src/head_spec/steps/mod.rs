//! What a head computes, step by step: one file for each kind of step.

mod branches;
mod conv;
mod dropout;
mod function;
mod layer_norm;
mod linear;
mod pointer;
mod pool;
mod recurrent;

use serde::{Deserialize, Serialize};

pub use branches::Branches;
pub use conv::Conv;
pub use dropout::Dropout;
pub use function::Function;
pub use layer_norm::LayerNorm;
pub use linear::{Linear, MatrixLayout};
pub use pointer::{EfficientGlobalPointer, GlobalPointer};
pub use pool::Pool;
pub use recurrent::{Recurrent, RecurrentOutput, RecurrentShape};

use super::place::Place;
use super::{Form, HeadSpecError, Tensors};

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// `x·Wᵀ + b`.
    Linear(Linear),
    /// A function of each number, or of each vector.
    Activation(Function),
    /// LayerNorm over the last axis.
    LayerNorm(LayerNorm),
    /// Dropout, which does nothing outside of training, even if the results of several are
    /// averaged.
    Dropout(Dropout),
    /// One vector for each text, from the vectors of its tokens.
    Pool(Pool),
    /// The number in this column of each vector, from 0.
    Column(usize),
    /// PyTorch's LSTM over the tokens.
    Lstm(Recurrent),
    /// PyTorch's GRU over the tokens.
    Gru(Recurrent),
    /// A convolution over the tokens.
    Conv(Conv),
    /// GlobalPointer: a score of each label for each pair of tokens.
    GlobalPointer(GlobalPointer),
    /// Efficient GlobalPointer: the same with fewer parameters.
    EfficientGlobalPointer(EfficientGlobalPointer),
    /// Several lists of steps that are all applied to this value, and how their results become one.
    Branches(Branches),
}

/// Fills in what the tensors say about the steps, and returns the form of their result for a value
/// of this form.
pub(super) fn resolve(
    steps: &mut [Step],
    form: Form,
    tensors: &dyn Tensors,
    place: &Place,
) -> Result<Form, HeadSpecError> {
    let mut steps = steps.iter_mut().enumerate();
    steps.try_fold(form, |form, (i, step)| {
        step.resolve(form, tensors, &place.index(i))
    })
}

impl Step {
    fn resolve(
        &mut self,
        form: Form,
        tensors: &dyn Tensors,
        place: &Place,
    ) -> Result<Form, HeadSpecError> {
        match self {
            Step::Linear(it) => it.resolve(form, tensors, &place.at("linear")),
            Step::Activation(it) => it.form(form, &place.at("activation")),
            Step::LayerNorm(it) => it.form(form, &place.at("layer_norm")),
            Step::Dropout(_) => Ok(form),
            Step::Pool(_) => pool::form(form, &place.at("pool")),
            Step::Column(column) => column_of(form, *column, &place.at("column")),
            Step::Lstm(it) => it.resolve(4, form, tensors, &place.at("lstm")),
            Step::Gru(it) => it.resolve(3, form, tensors, &place.at("gru")),
            Step::Conv(it) => it.resolve(form, tensors, &place.at("conv")),
            Step::GlobalPointer(it) => it.resolve(form, tensors, &place.at("global_pointer")),
            Step::EfficientGlobalPointer(it) => {
                it.resolve(form, tensors, &place.at("efficient_global_pointer"))
            }
            Step::Branches(it) => it.resolve(form, tensors, &place.at("branches")),
        }
    }
}

fn column_of(form: Form, column: usize, place: &Place) -> Result<Form, HeadSpecError> {
    if column >= form.width() {
        return Err(place.fault(format_args!(
            "there is no column {column} in {form}; the first is 0"
        )));
    }
    match form {
        Form::Text(_) => Ok(Form::TextNumber),
        Form::Tokens(_) => Ok(Form::TokenNumber),
        other => Err(place.fault(format_args!("{other} has no columns"))),
    }
}

macro_rules! step_from {
    ($($kind:ident),*) => {$(
        impl From<$kind> for Step {
            fn from(step: $kind) -> Self {
                Step::$kind(step)
            }
        }
    )*};
}

step_from!(
    Linear,
    LayerNorm,
    Dropout,
    Pool,
    Conv,
    GlobalPointer,
    EfficientGlobalPointer,
    Branches
);

impl From<Function> for Step {
    fn from(function: Function) -> Self {
        Step::Activation(function)
    }
}
