use nezha_graphs::{DType, Dim, Port};

use super::Op;
use super::infer::Element;
use super::weight::{Content, Encoding, Initializer, Weight};

/// A value of the graph: an input, a weight, a constant or the result of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(pub(super) usize);

/// The type of a value, and what else is known before the graph runs.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueType {
    /// The element type.
    pub dtype: DType,
    /// The shape, with dynamic axes by name.
    pub shape: Vec<Dim>,
    /// The elements, if they follow from shapes and constants alone.
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

    /// Whether all elements are known numbers before the graph runs.
    pub fn is_known(&self) -> bool {
        let is_number = |it: &Element| matches!(it, Element::Number(_));
        let elements = self.elements.as_ref();
        elements.is_some_and(|all| all.iter().all(is_number))
    }

    /// The sizes of the axes, if no axis is dynamic.
    pub(crate) fn fixed_shape(&self) -> Option<Vec<usize>> {
        self.shape.iter().map(Dim::as_fixed).collect()
    }
}

/// An operation.
#[derive(Clone, Debug)]
pub struct Node {
    /// Path of its scope and its operator, such as `nezha.pooler/Tanh`.
    pub name: String,
    /// The operator.
    pub op: Op,
    /// The values that it reads.
    pub inputs: Vec<Value>,
    /// The values that it computes.
    pub outputs: Vec<Value>,
}

impl Node {
    /// The path of its scope.
    pub fn place(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(place, _)| place)
    }
}

/// How a value is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// An input of the graph.
    Input,
    /// The initializer with this index.
    Initializer(usize),
    /// A result of a node; `constant` says whether it follows from constants alone.
    Node { constant: bool },
    /// Nothing: the value was removed.
    Dropped,
}

/// What the graph stores about each value, so that no search is necessary: answering a question at
/// each node must not take longer in a graph with more nodes.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub name: String,
    pub value_type: ValueType,
    pub(super) origin: Origin,
    pub(super) facts: Facts,
}

/// Facts that the equations state about a value, which don't follow from its node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    /// A lower bound of the elements.
    pub least: Option<f32>,
    /// Whether it may be an output although nodes read it.
    pub shared: bool,
}

/// A part of a graph.
#[derive(Debug)]
pub(crate) enum Definition {
    Input(Port, Value),
    Initializer(Initializer, Known),
    Node(Node),
}

/// A valid graph: every operation has valid inputs, and every output matches its port.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The name of the graph.
    pub name: String,
    /// The operator set that the graph is built for.
    pub opset: u32,
    /// Operations; each comes after those whose results it reads.
    pub nodes: Vec<Node>,
    /// Weights and constants, in the order of first use.
    pub initializers: Vec<Initializer>,
    /// Inputs, in order.
    pub inputs: Vec<(Port, Value)>,
    /// Outputs, in order.
    pub outputs: Vec<(Port, Value)>,
    pub(super) values: Vec<Known>,
}

impl Graph {
    /// An empty graph.
    pub(super) fn new(name: &str, opset: u32) -> Self {
        Self {
            name: name.to_owned(),
            opset,
            nodes: Vec::new(),
            initializers: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            values: Vec::new(),
        }
    }

    /// The name of a value.
    pub fn value_name(&self, value: Value) -> &str {
        &self.values[value.0].name
    }

    /// The type of a value.
    pub fn value_type(&self, value: Value) -> &ValueType {
        &self.values[value.0].value_type
    }

    /// The content of `value`, if it is a weight or a constant.
    pub fn content(&self, value: Value) -> Option<&Content> {
        match self.values[value.0].origin {
            Origin::Initializer(number) => Some(&self.initializers[number].content),
            Origin::Input | Origin::Node { .. } | Origin::Dropped => None,
        }
    }

    /// Whether `value` follows from weights, constants and fixed sizes alone, so that it is the
    /// same in each run.
    pub fn is_constant(&self, value: Value) -> bool {
        match self.values[value.0].origin {
            Origin::Input | Origin::Dropped => false,
            Origin::Initializer(_) => true,
            Origin::Node { constant } => constant,
        }
    }

    /// The lower bound of the elements of `value`, if the equations state one.
    pub fn least(&self, value: Value) -> Option<f32> {
        self.values[value.0].facts.least
    }

    /// Whether `value` may be an output although nodes read it.
    pub fn is_shared(&self, value: Value) -> bool {
        self.values[value.0].facts.shared
    }

    /// The weight that `value` is, if it is a weight in single precision.
    pub(crate) fn weight(&self, value: Value) -> Option<Weight> {
        match self.content(value)? {
            Content::Weight {
                name,
                layout,
                encoding: Encoding::F32,
            } => Some(Weight {
                name: name.clone(),
                layout: *layout,
                shape: self.value_type(value).fixed_shape()?,
            }),
            _ => None,
        }
    }

    /// The scope of the node that computes `value`.
    pub(crate) fn place_of(&self, value: Value) -> Option<&str> {
        let known = &self.values[value.0];
        let is_made = matches!(known.origin, Origin::Node { .. });
        let path = known.name.rsplit_once('/').filter(|_| is_made);
        path.map(|(path, _)| path)
    }

    /// The values about which the equations state facts.
    pub(crate) fn facts(&self) -> impl Iterator<Item = (Value, Facts)> {
        let facts = self.values.iter().map(|it| it.facts).enumerate();
        let stated = facts.filter(|(_, it)| *it != Facts::default());
        stated.map(|(number, facts)| (Value(number), facts))
    }

    /// Takes the graph apart into its definitions, in the order in which they were built.
    pub(crate) fn into_definitions(self) -> impl Iterator<Item = Definition> {
        let mut inputs = self.inputs.into_iter();
        let mut initializers = self.initializers.into_iter();
        let mut nodes = self.nodes.into_iter().peekable();
        let values = self.values.into_iter().enumerate();
        values.filter_map(move |(number, known)| match known.origin {
            Origin::Input => inputs.next().map(|(port, it)| Definition::Input(port, it)),
            Origin::Initializer(_) => {
                let held = initializers.next();
                held.map(|it| Definition::Initializer(it, known))
            }
            // The definition of a node is at its first output.
            Origin::Node { .. } => nodes
                .next_if(|node| node.outputs.first() == Some(&Value(number)))
                .map(Definition::Node),
            Origin::Dropped => None,
        })
    }

    /// Adds a value.
    pub(super) fn add(&mut self, name: String, value_type: ValueType, origin: Origin) -> Value {
        self.values.push(Known {
            name,
            value_type,
            origin,
            facts: Facts::default(),
        });
        Value(self.values.len() - 1)
    }

    /// Adds a node `name` that copies `value`, and returns the copy.
    pub(crate) fn add_copy(&mut self, name: String, value: Value) -> Value {
        let constant = self.is_constant(value);
        let value_type = self.value_type(value).clone();
        let copy = self.add(name.clone(), value_type, Origin::Node { constant });
        self.nodes.push(Node {
            name,
            op: Op::Identity,
            inputs: vec![value],
            outputs: vec![copy],
        });
        copy
    }

    /// Renames a value.
    pub(crate) fn rename(&mut self, value: Value, name: &str) {
        name.clone_into(&mut self.values[value.0].name);
    }

    /// The names of all values.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let is_there = |known: &&Known| known.origin != Origin::Dropped;
        self.values
            .iter()
            .filter(is_there)
            .map(|it| it.name.as_str())
    }

    /// Removes initializers, and nodes with their results, for which these return false.
    pub(crate) fn retain(
        &mut self,
        node: impl Fn(&Node) -> bool,
        initializer: impl Fn(&Initializer) -> bool,
    ) {
        let Self {
            nodes,
            initializers,
            values,
            ..
        } = self;
        let mut drop = |value: Value| {
            values[value.0] = Known {
                name: String::new(),
                value_type: ValueType::new(DType::F32, Vec::new()),
                origin: Origin::Dropped,
                facts: Facts::default(),
            };
        };
        nodes.retain(|it| {
            let stays = node(it);
            if !stays {
                it.outputs.iter().copied().for_each(&mut drop);
            }
            stays
        });
        initializers.retain(|it| {
            let stays = initializer(it);
            if !stays {
                drop(it.value);
            }
            stays
        });
        for (number, it) in initializers.iter().enumerate() {
            values[it.value.0].origin = Origin::Initializer(number);
        }
    }
}
