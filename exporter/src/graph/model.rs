use std::collections::BTreeSet;

use nezha_graphs::{DType, Dim, Port};

use super::Op;
use super::infer::Element;
use super::weight::{Initializer, WeightError};

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

/// A graph that does not hold together: without its weights, or, for all other reasons, by a fault of
/// the code that built it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphError {
    /// Weights that are missing or have other shapes, each once, in the order in which they were
    /// read; never empty.
    #[error("{} weights can't be read", .0.len())]
    Weights(Vec<WeightError>),
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
    pub(super) names: Vec<String>,
    pub(super) types: Vec<ValueType>,
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
    pub(super) fn drop_unused(&mut self) {
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
