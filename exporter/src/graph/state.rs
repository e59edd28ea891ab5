use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::model::Origin;
use super::weight::{Content, Initializer, WeightError};
use super::{Graph, GraphError, Value, ValueType};

/// What a [`Builder`](super::Builder) has built so far.
pub(super) struct State {
    pub graph: Graph,
    /// Number of nodes of each name, to number the second and later ones.
    pub node_names: BTreeMap<String, usize>,
    /// Constants, by dtype, shape and content.
    pub constants: BTreeMap<(&'static str, Vec<usize>, Bytes), Value>,
    /// Weights, by their names in the artifact.
    pub weights: BTreeMap<String, Value>,
    /// Weights that can't be read, each once.
    pub faults: Vec<WeightError>,
    pub faulty: BTreeSet<String>,
    /// The first error that is not about weights.
    pub error: Option<GraphError>,
}

impl State {
    /// An empty graph.
    pub(super) fn new(name: &str, opset: u32) -> Self {
        Self {
            graph: Graph::new(name, opset),
            node_names: BTreeMap::new(),
            constants: BTreeMap::new(),
            weights: BTreeMap::new(),
            faults: Vec::new(),
            faulty: BTreeSet::new(),
            error: None,
        }
    }

    pub(super) fn initializer(
        &mut self,
        name: String,
        value_type: ValueType,
        content: Content,
    ) -> Value {
        let origin = Origin::Initializer(self.graph.initializers.len());
        let value = self.graph.add(name, value_type, origin);
        let initializer = Initializer { value, content };
        self.graph.initializers.push(initializer);
        value
    }

    pub(super) fn node_name(&mut self, path: &str, operator: &str) -> String {
        let name = format!("{path}/{operator}");
        let count = self.node_names.entry(name.clone()).or_insert(0);
        *count += 1;
        match *count {
            1 => name,
            number => format!("{name}_{}", number - 1),
        }
    }
}
