//! A head of the user's own in f64, text by text; one file for each kind of step.

mod branches;
mod conv;
mod function;
mod linear;
mod pointer;
mod pool;
mod reading;
mod recurrent;

use ndarray::{Array1, Array2, ArrayD};
use nezha_graphs::head_spec::{OutputSpec, Step};
use nezha_graphs::{OwnHead, ProblemType, Role};

use super::{Given, HeadReference};
use crate::reference::encoder::Encoded;
use crate::reference::inputs::Inputs;
use crate::reference::{Outputs, ReferenceError, ops};

impl HeadReference for OwnHead {
    fn outputs(&self, given: &Given) -> Result<Vec<(Role, ArrayD<f64>)>, ReferenceError> {
        let outputs = self.outputs().map(|output| {
            let texts = given.texts.iter().enumerate();
            let texts = texts.map(|(number, text)| {
                let place = Place {
                    given,
                    text,
                    number,
                };
                place.output(output.spec)
            });
            let texts = texts.collect::<Result<Vec<_>, _>>()?;
            let arrays: Vec<ArrayD<f64>> = texts.into_iter().map(Part::into_array).collect();
            Ok((output.role, ops::stack(arrays.iter())))
        });
        outputs.collect()
    }

    fn labels(&self) -> &'static [Role] {
        &[]
    }

    fn loss(
        &self,
        _problem_type: ProblemType,
        _inputs: &Inputs,
        _outputs: &Outputs,
    ) -> Result<Option<f64>, ReferenceError> {
        Ok(None)
    }
}

/// One text, and the context that computes it.
struct Place<'g> {
    given: &'g Given<'g>,
    text: &'g Encoded,
    /// The index of the text.
    number: usize,
}

/// A value that a head computes for one text.
#[derive(Clone, Debug)]
enum Part {
    /// A vector, as the only row.
    Text(Array2<f64>),
    /// A vector for each token, `[s, width]`.
    Tokens(Array2<f64>),
    /// A final result: numbers, or an array over pairs of tokens.
    Other(ArrayD<f64>),
}

impl Part {
    /// The output for this text, without the axis of texts.
    fn into_array(self) -> ArrayD<f64> {
        match self {
            Part::Text(vector) => vector.row(0).to_owned().into_dyn(),
            Part::Tokens(vectors) => vectors.into_dyn(),
            Part::Other(array) => array,
        }
    }

    /// Applies `f` to the vectors.
    fn map(
        self,
        f: impl FnOnce(Array2<f64>) -> Result<Array2<f64>, ReferenceError>,
    ) -> Result<Self, ReferenceError> {
        Ok(match self {
            Part::Text(vector) => Part::Text(f(vector)?),
            Part::Tokens(vectors) => Part::Tokens(f(vectors)?),
            Part::Other(array) => Part::Other(array),
        })
    }

    fn vectors(&self) -> Array2<f64> {
        match self {
            Part::Text(vectors) | Part::Tokens(vectors) => vectors.clone(),
            Part::Other(_) => Array2::zeros((0, 0)),
        }
    }
}

impl Place<'_> {
    fn output(&self, output: &OutputSpec) -> Result<Part, ReferenceError> {
        self.steps(&output.steps, reading::read(self, output)?)
    }

    fn steps(&self, steps: &[Step], x: Part) -> Result<Part, ReferenceError> {
        steps.iter().try_fold(x, |x, step| self.step(step, x))
    }

    fn step(&self, step: &Step, x: Part) -> Result<Part, ReferenceError> {
        match step {
            Step::Linear(it) => x.map(|x| linear::linear(self, it, &x)),
            Step::Activation(it) => Ok(function::apply(*it, x)),
            Step::LayerNorm(it) => {
                let root = self.given.model.weights.root();
                x.map(|x| root.layer_norm(&it.module, &x, it.epsilon))
            }
            Step::Pool(it) => Ok(Part::Text(pool::pool(self, *it, &x.vectors()))),
            Step::Column(column) => Ok(column_of(*column, x)),
            Step::Lstm(it) => recurrent::recurrent(self, it, recurrent::LSTM, &x.vectors()),
            Step::Gru(it) => recurrent::recurrent(self, it, recurrent::GRU, &x.vectors()),
            Step::Conv(it) => conv::conv(self, it, &x.vectors()).map(Part::Tokens),
            Step::GlobalPointer(it) => pointer::global(self, it, &x.vectors()).map(Part::Other),
            Step::EfficientGlobalPointer(it) => {
                pointer::efficient(self, it, &x.vectors()).map(Part::Other)
            }
            Step::Branches(it) => branches::branches(self, it, &x),
            Step::Dropout(_) => Ok(x),
        }
    }
}

/// The numbers in a column of the vectors.
fn column_of(column: usize, x: Part) -> Part {
    match x {
        Part::Text(vector) => Part::Other(ndarray::arr0(vector[[0, column]]).into_dyn()),
        Part::Tokens(vectors) => {
            let numbers: Array1<f64> = vectors.column(column).to_owned();
            Part::Other(numbers.into_dyn())
        }
        Part::Other(array) => Part::Other(array),
    }
}
