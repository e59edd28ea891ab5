//! A head of the user's own, built from its spec; one file for each kind of step.

mod branches;
mod conv;
mod function;
mod linear;
mod pointer;
mod pool;
mod reading;
mod recurrent;
mod rotary;

use std::cell::RefCell;
use std::collections::BTreeMap;

use nezha_graphs::head_spec::{LayerNorm, Layers, OutputSpec, Read, Step};
use nezha_graphs::{GraphOptions, OwnHead, Role};

use super::{Given, HeadGraph, Stack};
use crate::graph::{Scope, Value};
use crate::nezha::ops::layer_norm;

impl HeadGraph for OwnHead {
    fn reads_first_token(&self, _options: &GraphOptions) -> bool {
        let is_first = |read: &Read| matches!(read, Read::Cls | Read::Pooler);
        let mut outputs = self.spec().outputs.iter();
        outputs.all(|it| it.layers == Layers::Last && it.read.iter().all(is_first))
    }

    fn outputs(&self, given: &Given) -> Vec<(Role, Value)> {
        let place = Place {
            given,
            scope: given.builder.scope(&self.spec().name),
            known: RefCell::default(),
        };
        let outputs = self.outputs();
        outputs.map(|it| (it.role, place.output(it.spec))).collect()
    }

    fn stacks(&self) -> &'static [Stack] {
        &[]
    }
}

/// The context in which the head is built.
struct Place<'g> {
    given: &'g Given<'g>,
    /// The scope of nodes that belong to no tensor of the checkpoint.
    scope: Scope<'g>,
    /// The values that were built, by their origin: outputs that begin with the same steps share
    /// them.
    known: RefCell<BTreeMap<String, Value>>,
}

impl<'g> Place<'g> {
    fn output(&self, output: &OutputSpec) -> Value {
        let OutputSpec {
            layers,
            mix,
            read,
            combine,
            ..
        } = output;
        let origin = format!("{layers:?} {mix:?} {read:?} {combine:?}");
        let start = self.once(origin.clone(), || reading::read(self, output));
        self.steps(&output.steps, start, origin)
    }

    /// Applies the steps to `x`, which was computed as `origin` says.
    fn steps(&self, steps: &[Step], x: Value, mut origin: String) -> Value {
        steps.iter().fold(x, |x, step| {
            origin = format!("{origin} {step:?}");
            self.once(origin.clone(), || self.step(step, x, &origin))
        })
    }

    fn step(&self, step: &Step, x: Value, origin: &str) -> Value {
        match step {
            Step::Linear(it) => linear::linear(self, it, x),
            Step::Activation(it) => function::apply(&self.scope, *it, x),
            Step::LayerNorm(LayerNorm {
                module, epsilon, ..
            }) => layer_norm(&self.module(module), x, *epsilon),
            Step::Pool(it) => pool::pool(self, *it, x),
            Step::Column(column) => column_of(&self.scope, *column, x),
            Step::Lstm(it) => recurrent::recurrent(self, it, recurrent::Cell::Lstm, x),
            Step::Gru(it) => recurrent::recurrent(self, it, recurrent::Cell::Gru, x),
            Step::Conv(it) => conv::conv(self, it, x),
            Step::GlobalPointer(it) => pointer::global(self, it, x),
            Step::EfficientGlobalPointer(it) => pointer::efficient(self, it, x),
            Step::Branches(it) => branches::branches(self, it, x, origin),
            Step::Dropout(_) => x,
        }
    }

    /// The value of this origin; it is made if it doesn't exist yet.
    fn once(&self, origin: String, make: impl FnOnce() -> Value) -> Value {
        if let Some(value) = self.known.borrow().get(&origin) {
            return *value;
        }
        let value = make();
        self.known.borrow_mut().insert(origin, value);
        value
    }

    /// The scope of the module `name`.
    fn module(&self, name: &str) -> Scope<'g> {
        self.given.builder.scope(name)
    }

    /// The scope of the tensor `name`, and its name there.
    fn tensor<'n>(&self, name: &'n str) -> (Scope<'g>, &'n str) {
        match name.rsplit_once('.') {
            Some((module, name)) => (self.module(module), name),
            None => (self.module(""), name),
        }
    }
}

/// The numbers in a column of the vectors.
fn column_of(s: &Scope, column: usize, x: Value) -> Value {
    s.gather(x, s.int64(column as i64), s.rank(x) - 1)
}
