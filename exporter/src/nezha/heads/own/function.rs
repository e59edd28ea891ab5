use nezha_graphs::head_spec::Function;

use crate::graph::{Scope, Value};
use crate::nezha::ops::activate;

/// A function of every number, or of every vector.
pub(super) fn apply(s: &Scope, function: Function, x: Value) -> Value {
    match function {
        Function::Activation(activation) => activate(s, activation, x),
        Function::Sigmoid => s.sigmoid(x),
        Function::Softmax => s.softmax(x),
        // max(x, x/100), since x/100 is the larger of the two where x is below 0.
        Function::LeakyRelu => s.max(x, s.mul(x, s.float(0.01))),
    }
}
