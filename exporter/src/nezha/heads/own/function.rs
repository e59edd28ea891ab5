use nezha_graphs::head_spec::Function;

use crate::graph::{Scope, Value};
use crate::nezha::ops::activate;

/// A function of each number, or of each vector.
pub(super) fn apply(s: &Scope, function: Function, x: Value) -> Value {
    match function {
        Function::Activation(activation) => activate(s, activation, x),
        Function::Sigmoid => s.sigmoid(x),
        Function::Softmax => s.softmax(x),
        // max(x, x/100): x/100 is the larger of the two if x is negative.
        Function::LeakyRelu => s.max(x, s.mul(x, s.float(0.01))),
    }
}
