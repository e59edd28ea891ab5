use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use nezha_graphs::{DType, Dim, Port};

use super::fold;
use super::infer::{self, Element};
use super::{Layout, Op, Scope, Weights};

/// A value of the graph: an input, a weight, a constant or the result of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(pub(super) usize);

/// What is known of a value before the graph runs.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueType {
    /// The element type.
    pub dtype: DType,
    /// The shape, dynamic axes by name.
    pub shape: Vec<Dim>,
    /// The elements, where they follow from shapes and constants alone.
    pub elements: Option<Vec<Element>>,
}

impl ValueType {
    /// A type whose elements are not known.
    pub fn new(dtype: DType, shape: Vec<Dim>) -> Self {
        Self {
            dtype,
            shape,
            elements: None,
        }
    }
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Node {
    /// Path of its scope and its operator, such as `nezha.pooler/Tanh`.
    pub name: String,
    /// The operator.
    pub op: Op,
    /// What it reads.
    pub inputs: Vec<Value>,
    /// What it makes.
    pub outputs: Vec<Value>,
}

/// Where the elements of an initializer come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// A small constant: row-major, little-endian.
    Inline(Vec<u8>),
    /// A weight, read when the artifact is written.
    Weight {
        /// Its name in the checkpoint.
        name: String,
        /// How it lies in the artifact.
        layout: Layout,
    },
}

/// A weight or a constant.
#[derive(Clone, Debug)]
pub struct Initializer {
    /// The value it is.
    pub value: Value,
    /// Its elements.
    pub content: Content,
}

/// A graph that does not hold together; a fault of the code that built it, not of its input.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphError {
    /// An operation on values that it can't take.
    #[error("{node}: {reason}")]
    Operation {
        /// The node.
        node: String,
        /// What is wrong.
        reason: String,
    },
    /// Two things of one name.
    #[error("two values are named '{0}'")]
    DuplicateName(String),
    /// An output that nothing was built for.
    #[error("output '{0}' was not built")]
    MissingOutput(String),
    /// An output that differs from its port.
    #[error("output '{port}' was built as {found}")]
    Output {
        /// The port.
        port: String,
        /// What was built.
        found: String,
    },
}

/// A finished graph.
#[derive(Clone, Debug)]
pub struct Graph {
    /// What it is called.
    pub name: String,
    /// The operator set it is built for.
    pub opset: u32,
    /// Operations, each after those it reads from.
    pub nodes: Vec<Node>,
    /// Weights and constants, in the order of first use.
    pub initializers: Vec<Initializer>,
    /// Inputs in order.
    pub inputs: Vec<(Port, Value)>,
    /// Outputs in order.
    pub outputs: Vec<(Port, Value)>,
    names: Vec<String>,
    types: Vec<ValueType>,
}

impl Graph {
    /// The name of a value.
    pub fn value_name(&self, value: Value) -> &str {
        &self.names[value.0]
    }

    /// The type of a value.
    pub fn value_type(&self, value: Value) -> &ValueType {
        &self.types[value.0]
    }

    /// Drops nodes and initializers that no output needs.
    fn drop_unused(&mut self) {
        let mut needed: BTreeSet<Value> = self.outputs.iter().map(|(_, value)| *value).collect();
        for node in self.nodes.iter().rev() {
            if node.outputs.iter().any(|output| needed.contains(output)) {
                needed.extend(&node.inputs);
            }
        }
        let is_needed = |outputs: &[Value]| outputs.iter().any(|it| needed.contains(it));
        self.nodes.retain(|node| is_needed(&node.outputs));
        self.initializers.retain(|it| needed.contains(&it.value));
    }
}

/// A graph under construction.
pub struct Builder<'w> {
    pub(super) weights: &'w dyn Weights,
    pub(super) opset: u32,
    state: RefCell<State>,
}

struct State {
    graph: Graph,
    /// How many nodes of a name there are, to number the second and later ones.
    node_names: BTreeMap<String, usize>,
    /// Constants by dtype, shape and content.
    constants: BTreeMap<(&'static str, Vec<usize>, Vec<u8>), Value>,
    error: Option<GraphError>,
}

impl<'w> Builder<'w> {
    /// An empty graph for an opset, over weights that scopes read by name.
    pub fn new(name: &str, opset: u32, weights: &'w dyn Weights) -> Self {
        let graph = Graph {
            name: name.to_owned(),
            opset,
            nodes: Vec::new(),
            initializers: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            names: Vec::new(),
            types: Vec::new(),
        };
        Self {
            weights,
            opset,
            state: RefCell::new(State {
                graph,
                node_names: BTreeMap::new(),
                constants: BTreeMap::new(),
                error: None,
            }),
        }
    }

    /// The place called `path`.
    pub fn scope(&self, path: &str) -> Scope<'_> {
        Scope::new(self, path.to_owned())
    }

    /// Adds an input.
    pub fn input(&self, port: &Port) -> Value {
        let state = &mut *self.state.borrow_mut();
        let value_type = ValueType::new(port.dtype, port.shape.clone());
        let value = state.value(port.name.clone(), value_type);
        state.graph.inputs.push((port.clone(), value));
        value
    }

    /// Makes `value` the output of `port`, whose name it takes.
    ///
    /// A value that is an input or an output already goes through an Identity. `None` is for a port
    /// that nothing was built for; [`Self::finish`] names it.
    pub fn output(&self, port: &Port, value: Option<Value>) {
        let Some(value) = value else {
            let missing = GraphError::MissingOutput(port.to_string());
            self.state.borrow_mut().error.get_or_insert(missing);
            return;
        };
        let taken = {
            let graph = &self.state.borrow().graph;
            let ports = graph.inputs.iter().chain(&graph.outputs);
            ports.into_iter().any(|(_, it)| *it == value)
        };
        let value = match taken {
            true => self.node("outputs", Op::Identity, &[value]),
            false => value,
        };
        let state = &mut *self.state.borrow_mut();
        state.graph.names[value.0] = port.name.clone();
        state.graph.outputs.push((port.clone(), value));
    }

    /// The graph, checked: every operation sound, every name used once, every output as its port
    /// says. What no output needs is left out; inputs stay.
    ///
    /// # Errors
    /// The first [`GraphError`].
    pub fn finish(self) -> Result<Graph, GraphError> {
        let State {
            mut graph, error, ..
        } = self.state.into_inner();
        if let Some(error) = error {
            return Err(error);
        }
        let mut seen = BTreeSet::new();
        if let Some(name) = graph.names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(GraphError::DuplicateName(name.clone()));
        }
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
        graph.drop_unused();
        Ok(graph)
    }

    pub(super) fn value_type(&self, value: Value) -> ValueType {
        self.state.borrow().graph.types[value.0].clone()
    }

    /// Adds a node and gives its result.
    ///
    /// Where the operation is unsound, the first such error is kept for [`Self::finish`] and the
    /// result takes the type of the first input, so that building goes on.
    pub(super) fn node(&self, path: &str, op: Op, inputs: &[Value]) -> Value {
        if let Some(known) = self.fold(path, &op, inputs) {
            return known;
        }
        let state = &mut *self.state.borrow_mut();
        let name = state.node_name(path, op.name());
        let types: Vec<&ValueType> = inputs.iter().map(|it| &state.graph.types[it.0]).collect();
        let output_type = infer::output(&op, &types).unwrap_or_else(|reason| {
            state.error.get_or_insert(GraphError::Operation {
                node: name.clone(),
                reason,
            });
            types[0].clone()
        });
        let output = state.value(name.clone(), output_type);
        state.graph.nodes.push(Node {
            name,
            op,
            inputs: inputs.to_vec(),
            outputs: vec![output],
        });
        output
    }

    /// The constant that an operation comes to, where everything about it is known.
    fn fold(&self, path: &str, op: &Op, inputs: &[Value]) -> Option<Value> {
        let (output_type, bytes, numbers) = {
            let state = self.state.borrow();
            let types: Vec<&ValueType> = inputs.iter().map(|it| &state.graph.types[it.0]).collect();
            let output_type = infer::output(op, &types).ok()?;
            let numbers = fold::fold(op, &types, &output_type)?;
            let bytes = fold::bytes(output_type.dtype, &numbers)?;
            (output_type, bytes, numbers)
        };
        let shape: Option<Vec<usize>> = output_type.shape.iter().map(Dim::as_fixed).collect();
        let name = self.state.borrow_mut().node_name(path, op.name());
        let elements = numbers.into_iter().map(Element::Number).collect();
        Some(self.constant(name, output_type.dtype, &shape?, bytes, Some(elements)))
    }

    /// Adds another output to the node that made `first`, the newest one.
    pub(super) fn second_output(&self, first: Value, name: &str, value_type: ValueType) -> Value {
        let state = &mut *self.state.borrow_mut();
        let name = format!("{}/{name}", state.graph.names[first.0]);
        let second = state.value(name, value_type);
        if let Some(node) = state.graph.nodes.last_mut() {
            node.outputs.push(second);
        }
        second
    }

    /// The constant of this content; equal constants are one value.
    pub(super) fn constant(
        &self,
        name: String,
        dtype: DType,
        shape: &[usize],
        bytes: Vec<u8>,
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
        let value = state.value(name, value_type);
        let content = Content::Inline(key.2.clone());
        state
            .graph
            .initializers
            .push(Initializer { value, content });
        state.constants.insert(key, value);
        value
    }

    /// A weight of the checkpoint under its own name, `.T` added where it is transposed.
    pub(super) fn weight(&self, name: String, shape: &[usize], layout: Layout) -> Value {
        let state = &mut *self.state.borrow_mut();
        let dims: Vec<Dim> = shape.iter().copied().map(Dim::from).collect();
        let (label, dims) = match layout {
            Layout::AsStored => (name.clone(), dims),
            Layout::Transposed => (format!("{name}.T"), dims.into_iter().rev().collect()),
        };
        let value = state.value(label, ValueType::new(DType::F32, dims));
        let content = Content::Weight { name, layout };
        state
            .graph
            .initializers
            .push(Initializer { value, content });
        value
    }
}

impl State {
    fn value(&mut self, name: String, value_type: ValueType) -> Value {
        self.graph.names.push(name);
        self.graph.types.push(value_type);
        Value(self.graph.names.len() - 1)
    }

    fn node_name(&mut self, path: &str, operator: &str) -> String {
        let name = format!("{path}/{operator}");
        let count = self.node_names.entry(name.clone()).or_insert(0);
        *count += 1;
        match *count {
            1 => name,
            number => format!("{name}_{}", number - 1),
        }
    }
}
