use std::collections::{BTreeMap, BTreeSet};

use super::weight::{Content, Encoding, Initializer, WeightError};
use super::{Graph, GraphError, Node, Op, Value, ValueType};

/// The place of the copies that outputs get.
pub(super) const OUTPUTS: &str = "outputs";

/// What a [precision](super::lowering) makes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Conversion {
    /// The same in half precision.
    Half,
    /// The same in single precision.
    Single,
    /// Each row in 8 bits, and the largest magnitude of each.
    Int8Rows,
    /// The step of 8 bits, of an input.
    Step,
    /// A column of ones for the keys of a mask.
    Ones,
    /// A weight as it is in the artifact.
    Encoded(Encoding),
}

/// Where a value comes from.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    /// Whoever runs the graph gives it.
    Input,
    /// It is the initializer of this number.
    Initializer(usize),
    /// A node makes it, from constants alone or not.
    Node { constant: bool },
}

/// What a [`Builder`](super::Builder) has built so far.
pub(super) struct State {
    pub graph: Graph,
    /// Where each value comes from, so that nobody has to search for it: a question asked at each
    /// node must not take longer the more nodes there are.
    pub origins: Vec<Origin>,
    /// Values that may be an output and be read by nodes, too.
    pub shared: BTreeSet<Value>,
    /// How many nodes of a name there are, to number the second and later ones.
    pub node_names: BTreeMap<String, usize>,
    /// Constants by dtype, shape and content.
    pub constants: BTreeMap<(&'static str, Vec<usize>, Vec<u8>), Value>,
    /// What a value was converted to, so that it is once for all who read it.
    pub conversions: BTreeMap<(Value, Conversion), Vec<Value>>,
    /// How far below 0 the elements of a value may be, where somebody said so.
    pub depths: BTreeMap<Value, f32>,
    /// Weights that can't be read, each once by name.
    pub faults: Vec<WeightError>,
    pub faulty: BTreeSet<String>,
    pub error: Option<GraphError>,
}

impl State {
    /// An empty graph.
    pub fn new(name: &str, opset: u32) -> Self {
        Self {
            graph: Graph {
                name: name.to_owned(),
                opset,
                nodes: Vec::new(),
                initializers: Vec::new(),
                inputs: Vec::new(),
                outputs: Vec::new(),
                names: Vec::new(),
                types: Vec::new(),
            },
            origins: Vec::new(),
            shared: BTreeSet::new(),
            node_names: BTreeMap::new(),
            constants: BTreeMap::new(),
            conversions: BTreeMap::new(),
            depths: BTreeMap::new(),
            faults: Vec::new(),
            faulty: BTreeSet::new(),
            error: None,
        }
    }

    pub fn value(&mut self, name: String, value_type: ValueType, origin: Origin) -> Value {
        self.graph.names.push(name);
        self.graph.types.push(value_type);
        self.origins.push(origin);
        Value(self.origins.len() - 1)
    }

    pub fn initializer(&mut self, name: String, value_type: ValueType, content: Content) -> Value {
        let origin = Origin::Initializer(self.graph.initializers.len());
        let value = self.value(name, value_type, origin);
        let initializer = Initializer { value, content };
        self.graph.initializers.push(initializer);
        value
    }

    /// Gives each output the name of its port: to its value, or to a copy where the value is something
    /// else besides.
    pub fn name_outputs(&mut self) {
        let graph = &self.graph;
        let given = graph.inputs.iter().map(|(_, value)| *value);
        let held = graph.initializers.iter().map(|it| it.value);
        let read = graph.nodes.iter().flat_map(|it| &it.inputs).copied();
        let read = read.filter(|it| !self.shared.contains(it));
        let mut taken: BTreeSet<Value> = given.chain(held).chain(read).collect();
        for (port, value) in std::mem::take(&mut self.graph.outputs) {
            let own = match taken.insert(value) {
                true => value,
                false => self.copy(value),
            };
            self.graph.names[own.0].clone_from(&port.name);
            self.graph.outputs.push((port, own));
        }
    }

    /// What an Identity makes of `value`.
    fn copy(&mut self, value: Value) -> Value {
        let name = self.node_name(OUTPUTS, Op::Identity.name());
        let value_type = self.graph.types[value.0].clone();
        let constant = self.is_constant(value);
        let copy = self.value(name.clone(), value_type, Origin::Node { constant });
        self.graph.nodes.push(Node {
            name,
            op: Op::Identity,
            inputs: vec![value],
            outputs: vec![copy],
        });
        copy
    }

    /// What `value` holds, where it is a weight or a constant.
    pub fn content(&self, value: Value) -> Option<&Content> {
        match self.origins[value.0] {
            Origin::Initializer(number) => Some(&self.graph.initializers[number].content),
            Origin::Input | Origin::Node { .. } => None,
        }
    }

    pub fn is_constant(&self, value: Value) -> bool {
        match self.origins[value.0] {
            Origin::Input => false,
            Origin::Initializer(_) => true,
            Origin::Node { constant } => constant,
        }
    }

    pub fn node_name(&mut self, path: &str, operator: &str) -> String {
        let name = format!("{path}/{operator}");
        let count = self.node_names.entry(name.clone()).or_insert(0);
        *count += 1;
        match *count {
            1 => name,
            number => format!("{name}_{}", number - 1),
        }
    }
}
