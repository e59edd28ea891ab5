use nezha_graphs::DType;

use super::{Builder, Encoding, Graph, Layout, Op, Value, ValueType, WeightError};

/// A path in the graph: the prefix of the weights that are read and the nodes that are created
/// there.
#[derive(Clone, Debug)]
pub struct Scope<'g> {
    pub(crate) builder: &'g Builder<'g>,
    pub(super) path: String,
}

impl<'g> Scope<'g> {
    pub(super) fn new<'w: 'g>(builder: &'g Builder<'w>, path: String) -> Self {
        Self { builder, path }
    }

    /// The scope `name` inside of this one.
    pub fn at(&self, name: impl std::fmt::Display) -> Self {
        Self {
            builder: self.builder,
            path: format!("{}.{name}", self.path),
        }
    }

    /// The operator set that the graph is built for.
    pub fn opset(&self) -> u32 {
        self.builder.opset
    }

    /// The type of a value, and what else is known of it.
    pub fn value_type(&self, value: Value) -> ValueType {
        self.read(|graph| graph.value_type(value).clone())
    }

    /// The element type of a value.
    pub fn dtype(&self, value: Value) -> DType {
        self.read(|graph| graph.value_type(value).dtype)
    }

    /// The number of axes of a value.
    pub fn rank(&self, value: Value) -> usize {
        self.read(|graph| graph.value_type(value).shape.len())
    }

    /// The fixed size of the last axis; 0 if it is dynamic.
    pub fn width(&self, x: Value) -> usize {
        let width = |graph: &Graph| graph.value_type(x).shape.last()?.as_fixed();
        self.read(width).unwrap_or(0)
    }

    /// States that no element of `value` is less than `least`. This must follow from the equations;
    /// it need not follow from single operations.
    pub fn at_least(&self, value: Value, least: f32) {
        self.builder.state_least(value, least);
    }

    /// Whether the checkpoint has the weight `name` of this scope.
    pub fn has_weight(&self, name: &str) -> bool {
        self.builder
            .weights
            .shape(&self.weight_name(name))
            .is_some()
    }

    /// The weight `name` of this scope, as stored; float32 in the graph.
    ///
    /// If the checkpoint lacks it or has another shape, building goes on as if it existed, and
    /// [`Builder::finish`] returns the error.
    pub fn weight(&self, name: &str, shape: &[usize]) -> Value {
        self.weight_as(name, shape, Layout::AsStored)
    }

    /// The matrix `name` of this scope, stored as `shape`, transposed. It is transposed in the
    /// artifact, or by a node if the weights stay [in place](super::Weights::in_place).
    pub fn transposed_weight(&self, name: &str, shape: [usize; 2]) -> Value {
        if self.builder.weights.in_place() {
            return self.transpose(self.weight(name, &shape), &[1, 0]);
        }
        self.weight_as(name, &shape, Layout::Transposed)
    }

    fn weight_as(&self, name: &str, shape: &[usize], layout: Layout) -> Value {
        let name = self.weight_name(name);
        if let Some(fault) = self.fault_of(&name, shape) {
            self.builder.note_fault(&name, fault);
        }
        let shape: Vec<usize> = match layout {
            Layout::AsStored => shape.to_vec(),
            Layout::Transposed => shape.iter().rev().copied().collect(),
        };
        self.builder.weight(&name, layout, Encoding::F32, &shape)
    }

    /// Why the weight `name` can't be read as `shape`.
    fn fault_of(&self, name: &str, shape: &[usize]) -> Option<WeightError> {
        let name = name.to_owned();
        let expected = shape.to_vec();
        match self.builder.weights.shape(&name) {
            None => Some(WeightError::Missing { name, expected }),
            Some(found) if found != shape => Some(WeightError::Shape {
                name,
                expected,
                found: found.to_vec(),
            }),
            Some(_) => None,
        }
    }

    fn weight_name(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    /// Answers a question about what was built so far.
    pub(crate) fn read<T>(&self, question: impl FnOnce(&Graph) -> T) -> T {
        self.builder.read(question)
    }

    /// The first result of an operation.
    pub(crate) fn node(&self, op: Op, inputs: &[Value]) -> Value {
        self.results(op, inputs)[0]
    }

    /// All results of an operation.
    pub(crate) fn results(&self, op: Op, inputs: &[Value]) -> Vec<Value> {
        self.builder.node(&self.path, op, inputs)
    }

    /// Reserves and returns the name of the next node with this operator in this scope.
    pub(crate) fn next_name(&self, op: &Op) -> String {
        self.builder.next_name(&self.path, op)
    }
}
