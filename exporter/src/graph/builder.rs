use std::cell::RefCell;
use std::fmt;

use bytes::Bytes;
use nezha_graphs::{DType, Dim, Port};

use super::infer::{self, Element};
use super::model::{Facts, Origin};
use super::state::State;
use super::weight::{self, Content, Encoding, Layout, WeightError, Weights};
use super::{Graph, GraphError, Node, Op, Scope, Value, ValueType};

/// A graph under construction.
pub struct Builder<'w> {
    pub(super) weights: &'w dyn Weights,
    pub(super) opset: u32,
    state: RefCell<State>,
}

impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("opset", &self.opset)
            .finish_non_exhaustive()
    }
}

impl<'w> Builder<'w> {
    /// An empty graph for an opset. Scopes read weights by name from `weights`.
    pub fn new(name: &str, opset: u32, weights: &'w dyn Weights) -> Self {
        Self {
            weights,
            opset,
            state: RefCell::new(State::new(name, opset)),
        }
    }

    /// The scope with this path.
    pub fn scope(&self, path: &str) -> Scope<'_> {
        Scope::new(self, path.to_owned())
    }

    /// Adds an input.
    pub fn input(&self, port: &Port) -> Value {
        let graph = &mut self.state.borrow_mut().graph;
        let value_type = ValueType::new(port.dtype, port.shape.clone());
        let value = graph.add(port.name.clone(), value_type, Origin::Input);
        graph.inputs.push((port.clone(), value));
        value
    }

    /// Makes `value` the output of `port`.
    ///
    /// `value` is `None` for a port that nothing was built for; [`Self::finish`] then returns an
    /// error that names it.
    pub fn output(&self, port: &Port, value: Option<Value>) {
        let state = &mut *self.state.borrow_mut();
        match value {
            Some(value) => state.graph.outputs.push((port.clone(), value)),
            None => {
                let missing = GraphError::MissingOutput(port.to_string());
                state.error.get_or_insert(missing);
            }
        }
    }

    /// Allows `value` to be an output although nodes read it. This is for a value so large that a
    /// copy would take time.
    pub fn share(&self, value: Value) {
        self.state.borrow_mut().graph.values[value.0].facts.shared = true;
    }

    /// Checks the graph and returns it: every weight exists, every operation is valid, and every
    /// output matches its port. The graph contains everything that was built, even if no output
    /// needs it.
    ///
    /// # Errors
    /// [`GraphError::Weights`] with all faulty weights, else the first other [`GraphError`].
    pub fn finish(self) -> Result<Graph, GraphError> {
        let state = self.state.into_inner();
        if !state.faults.is_empty() {
            return Err(GraphError::Weights(state.faults));
        }
        if let Some(error) = state.error {
            return Err(error);
        }
        let graph = state.graph;
        for (port, value) in &graph.outputs {
            let built = graph.value_type(*value);
            if (built.dtype, &built.shape) != (port.dtype, &port.shape) {
                let found = Port::new("", built.dtype, &built.shape, "");
                return Err(GraphError::Output {
                    port: port.to_string(),
                    found: found.to_string(),
                });
            }
        }
        Ok(graph)
    }

    /// Answers a question about what was built so far.
    pub(crate) fn read<T>(&self, question: impl FnOnce(&Graph) -> T) -> T {
        question(&self.state.borrow().graph)
    }

    /// Adds a node and returns its results.
    ///
    /// If the operation is invalid, the first such error is kept for [`Self::finish`]. The result
    /// then has the type of the first input, if there is one, so that building can go on.
    pub(super) fn node(&self, path: &str, op: Op, inputs: &[Value]) -> Vec<Value> {
        let state = &mut *self.state.borrow_mut();
        let name = state.node_name(path, op.name());
        let graph = &mut state.graph;
        let types: Vec<&ValueType> = inputs.iter().map(|it| graph.value_type(*it)).collect();
        let first = infer::output(&op, &types).unwrap_or_else(|reason| {
            state.error.get_or_insert(GraphError::Operation {
                node: name.clone(),
                reason,
            });
            let anything = ValueType::new(DType::F32, Vec::new());
            types.first().map_or(anything, |it| (*it).clone())
        });
        let constant = inputs.iter().all(|it| graph.is_constant(*it)) || first.is_known();
        let origin = Origin::Node { constant };
        let second = infer::second_output(&op, &first);
        let mut outputs = vec![graph.add(name.clone(), first, origin)];
        if let Some((label, second)) = second {
            outputs.push(graph.add(format!("{name}/{label}"), second, origin));
        }
        graph.nodes.push(Node {
            name,
            op,
            inputs: inputs.to_vec(),
            outputs: outputs.clone(),
        });
        outputs
    }

    /// Reserves and returns the name of the next node with this operator in a scope.
    pub(super) fn next_name(&self, path: &str, op: &Op) -> String {
        self.state.borrow_mut().node_name(path, op.name())
    }

    /// The constant with this content. Equal constants are one value, with the name of the first.
    pub(crate) fn constant(
        &self,
        name: String,
        dtype: DType,
        shape: &[usize],
        bytes: Bytes,
        elements: Option<Vec<Element>>,
    ) -> Value {
        let state = &mut *self.state.borrow_mut();
        let key = (dtype.name(), shape.to_vec(), bytes);
        if let Some(value) = state.constants.get(&key) {
            return *value;
        }
        let value_type = ValueType {
            dtype,
            shape: shape.iter().copied().map(Dim::from).collect(),
            elements,
        };
        let value = state.initializer(name, value_type, Content::Inline(key.2.clone()));
        state.constants.insert(key, value);
        value
    }

    /// A weight of the checkpoint, which is one value even if it is read several times. Its name is
    /// the weight's, with the suffix `.T` if it is transposed, and another suffix if it is not in
    /// single precision. `shape` is its shape in the graph.
    pub(crate) fn weight(
        &self,
        name: &str,
        layout: Layout,
        encoding: Encoding,
        shape: &[usize],
    ) -> Value {
        let state = &mut *self.state.borrow_mut();
        let dims = shape.iter().copied().map(Dim::from).collect();
        let label = weight::label(name, layout, encoding);
        if let Some(value) = state.weights.get(&label) {
            return *value;
        }
        let content = Content::Weight {
            name: name.to_owned(),
            layout,
            encoding,
        };
        let value_type = ValueType::new(encoding.dtype(), dims);
        let value = state.initializer(label.clone(), value_type, content);
        state.weights.insert(label, value);
        value
    }

    /// Keeps a fault for [`Self::finish`], so that building goes on as if the weight existed.
    pub(super) fn note_fault(&self, name: &str, fault: WeightError) {
        let state = &mut *self.state.borrow_mut();
        if state.faulty.insert(name.to_owned()) {
            state.faults.push(fault);
        }
    }

    /// Keeps facts that the equations state about a value.
    pub(crate) fn state_facts(&self, value: Value, facts: Facts) {
        self.state.borrow_mut().graph.values[value.0].facts = facts;
    }

    /// Keeps a lower bound of the elements of `value`.
    pub(super) fn state_least(&self, value: Value, least: f32) {
        self.state.borrow_mut().graph.values[value.0].facts.least = Some(least);
    }
}
