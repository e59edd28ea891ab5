use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use half::f16;
use nezha_graphs::{DType, Dim, Port, Precision};

use super::fold;
use super::infer::{self, Element};
use super::lowering;
use super::state::{Conversion, OUTPUTS, Origin, State};
use super::weight::{self, Content, Encoding, Layout, Weight, WeightError, Weights};
use super::{Graph, GraphError, Node, Op, Scope, Value, ValueType};

/// A graph under construction.
pub struct Builder<'w> {
    pub(super) weights: &'w dyn Weights,
    pub(super) opset: u32,
    pub(super) precision: Precision,
    state: RefCell<State>,
}

impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("opset", &self.opset)
            .field("precision", &self.precision)
            .finish_non_exhaustive()
    }
}

impl<'w> Builder<'w> {
    /// An empty graph for an opset, over weights that scopes read by name.
    pub fn new(name: &str, opset: u32, weights: &'w dyn Weights) -> Self {
        Self {
            weights,
            opset,
            precision: Precision::default(),
            state: RefCell::new(State::new(name, opset)),
        }
    }

    /// The same in another precision: what its scopes say stays, how it is computed changes.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The place called `path`.
    pub fn scope(&self, path: &str) -> Scope<'_> {
        Scope::new(self, path.to_owned())
    }

    /// Adds an input.
    pub fn input(&self, port: &Port) -> Value {
        let state = &mut *self.state.borrow_mut();
        let value_type = ValueType::new(port.dtype, port.shape.clone());
        let value = state.value(port.name.clone(), value_type, Origin::Input);
        state.graph.inputs.push((port.clone(), value));
        value
    }

    /// The input that was added first.
    pub(super) fn first_input(&self) -> Option<Value> {
        let graph = &self.state.borrow().graph;
        graph.inputs.first().map(|(_, value)| *value)
    }

    /// Makes `value` the output of `port`, whose name it takes.
    ///
    /// One that nodes read, too, or that is an input, a constant or another output, goes through an
    /// Identity: a tool that converts an output to another type does not expect that nodes read it.
    /// `None` is for a port that nothing was built for; [`Self::finish`] names it.
    pub fn output(&self, port: &Port, value: Option<Value>) {
        let Some(value) = value else {
            let missing = GraphError::MissingOutput(port.to_string());
            self.state.borrow_mut().error.get_or_insert(missing);
            return;
        };
        let value = lowering::output(&self.scope(OUTPUTS), value, port.dtype);
        let graph = &mut self.state.borrow_mut().graph;
        graph.outputs.push((port.clone(), value));
    }

    /// Lets `value` be an output although nodes read it, for one that is so large that its copy would
    /// take time.
    pub fn share(&self, value: Value) {
        self.state.borrow_mut().shared.insert(value);
    }

    /// The graph, checked: every operation sound, every name used once, every output as its port
    /// says. What no output needs is left out; inputs stay.
    ///
    /// # Errors
    /// [`GraphError::Weights`] with all of them, else the first other [`GraphError`].
    pub fn finish(self) -> Result<Graph, GraphError> {
        let mut state = self.state.into_inner();
        if !state.faults.is_empty() {
            return Err(GraphError::Weights(state.faults));
        }
        if let Some(error) = state.error {
            return Err(error);
        }
        state.graph.drop_unused();
        state.name_outputs();
        let graph = state.graph;
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
        Ok(graph)
    }

    pub(super) fn value_type(&self, value: Value) -> ValueType {
        self.state.borrow().graph.types[value.0].clone()
    }

    pub(super) fn dtype(&self, value: Value) -> DType {
        self.state.borrow().graph.types[value.0].dtype
    }

    /// Computes an operation in the builder's precision and gives its result.
    pub(super) fn node(&self, path: &str, op: Op, inputs: &[Value]) -> Value {
        let lowered = lowering::lower(&self.scope(path), &op, inputs);
        lowered.unwrap_or_else(|| self.plain_node(path, op, inputs))
    }

    /// Adds a node and gives its result.
    ///
    /// Where the operation is unsound, the first such error is kept for [`Self::finish`] and the
    /// result takes the type of the first input, if there is one, so that building goes on.
    pub(super) fn plain_node(&self, path: &str, op: Op, inputs: &[Value]) -> Value {
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
            let anything = ValueType::new(DType::F32, Vec::new());
            types.first().map_or(anything, |it| (*it).clone())
        });
        let constant = inputs.iter().all(|it| state.is_constant(*it));
        let output = state.value(name.clone(), output_type, Origin::Node { constant });
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
        let second = state.value(name, value_type, state.origins[first.0]);
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
        let value = state.initializer(name, value_type, Content::Inline(key.2.clone()));
        state.constants.insert(key, value);
        value
    }

    /// A weight of the checkpoint under its own name, `.T` added where it is transposed, and more
    /// where it is not in single precision; `shape` is that in the graph.
    pub(super) fn weight(
        &self,
        name: &str,
        layout: Layout,
        encoding: Encoding,
        shape: &[usize],
    ) -> Value {
        let state = &mut *self.state.borrow_mut();
        let dims = shape.iter().copied().map(Dim::from).collect();
        let label = weight::label(name, layout, encoding);
        let content = Content::Weight {
            name: name.to_owned(),
            layout,
            encoding,
        };
        state.initializer(label, ValueType::new(encoding.dtype(), dims), content)
    }

    /// The place of the node that makes `value`.
    pub(super) fn path_of(&self, value: Value) -> Option<String> {
        let state = self.state.borrow();
        let is_made = matches!(state.origins[value.0], Origin::Node { .. });
        let path = state.graph.names[value.0].rsplit_once('/');
        path.filter(|_| is_made).map(|(path, _)| path.to_owned())
    }

    /// The constant `value`, of float32, in half precision.
    pub(super) fn half_of_constant(&self, value: Value) -> Option<Value> {
        let (name, shape, bytes) = {
            let state = self.state.borrow();
            let Content::Inline(bytes) = state.content(value)? else {
                return None;
            };
            let shape = &state.graph.types[value.0].shape;
            let shape: Vec<usize> = shape.iter().filter_map(Dim::as_fixed).collect();
            let numbers = bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes);
            let bytes = numbers.flat_map(|it| f16::from_f32(it).to_le_bytes());
            let name = format!("{}.float16", state.graph.names[value.0]);
            (name, shape, bytes.collect())
        };
        Some(self.constant(name, DType::F16, &shape, bytes, None))
    }

    /// The weight that `value` is, where it is one in single precision.
    pub(super) fn weight_of(&self, value: Value) -> Option<Weight> {
        let state = self.state.borrow();
        let shape = &state.graph.value_type(value).shape;
        match state.content(value)? {
            Content::Weight {
                name,
                layout,
                encoding: Encoding::F32,
            } => Some(Weight {
                name: name.clone(),
                layout: *layout,
                shape: shape.iter().filter_map(Dim::as_fixed).collect(),
            }),
            _ => None,
        }
    }

    /// Whether `value` follows from weights and constants alone, so that engines compute it once.
    pub(super) fn is_constant(&self, value: Value) -> bool {
        self.state.borrow().is_constant(value)
    }

    /// Keeps a fault for [`Self::finish`], so that building goes on as if the weight were there.
    pub(super) fn note_fault(&self, name: &str, fault: WeightError) {
        let state = &mut *self.state.borrow_mut();
        if state.faulty.insert(name.to_owned()) {
            state.faults.push(fault);
        }
    }

    pub(super) fn note_depth(&self, value: Value, depth: f32) {
        self.state.borrow_mut().depths.insert(value, depth);
    }

    /// How far below 0 the elements of `value` may be, where that is known.
    pub(super) fn depth(&self, value: Value) -> Option<f32> {
        self.state.borrow().depths.get(&value).copied()
    }

    /// What `value` was converted to before, or what `convert` makes of it now.
    pub(super) fn converted<const N: usize>(
        &self,
        value: Value,
        conversion: Conversion,
        convert: impl FnOnce() -> [Value; N],
    ) -> [Value; N] {
        let key = (value, conversion);
        let known = self.state.borrow().conversions.get(&key).cloned();
        let known = known.and_then(|it| <[Value; N]>::try_from(it).ok());
        known.unwrap_or_else(|| {
            let made = convert();
            let conversions = &mut self.state.borrow_mut().conversions;
            conversions.insert(key, made.to_vec());
            made
        })
    }
}
