use std::collections::BTreeMap;

use crate::proto::{GraphProto, ModelProto, TensorProto};
use crate::{ExternalData, TensorType, tensor_type};

/// A model in numbers: any tool's model, not only NEZHA.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ModelSummary {
    /// The tool that wrote the model, with its version.
    pub producer: String,
    /// Version of the format.
    pub ir_version: i64,
    /// The operator sets that the model uses.
    pub opsets: Vec<OperatorSet>,
    /// Name of the graph.
    pub name: String,
    /// The required inputs.
    pub inputs: Vec<PortSummary>,
    /// The outputs.
    pub outputs: Vec<PortSummary>,
    /// Number of nodes, including those of branches and loop bodies.
    pub nodes: usize,
    /// Number of nodes by operator; an operator of another domain is called `domain.Operator`.
    pub operators: BTreeMap<String, usize>,
    /// Number of elements of all floating-point and quantized weights that are not scalars.
    pub parameters: u64,
    /// Weights and constants by element type.
    pub weights: Vec<WeightSummary>,
    /// Files that hold weights.
    pub external_files: Vec<ExternalFile>,
    /// The model's metadata.
    pub metadata: BTreeMap<String, String>,
}

/// An operator set.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct OperatorSet {
    /// The domain; `ai.onnx` for the standard operators.
    pub domain: String,
    /// Its version.
    pub version: i64,
}

/// An input or an output.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PortSummary {
    /// Its name.
    pub name: String,
    /// Its element type and shape; absent if it is not a tensor.
    #[serde(flatten)]
    pub tensor_type: Option<TensorType>,
    /// Its description for readers; may be empty.
    pub doc: String,
}

/// The weights of one element type.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct WeightSummary {
    /// The element type, by numpy's name.
    pub dtype: String,
    /// Number of tensors.
    pub tensors: usize,
    /// Number of elements of all these tensors.
    pub elements: u64,
    /// Bytes inside of the model's file.
    pub embedded_bytes: u64,
    /// Bytes in other files.
    pub external_bytes: u64,
}

/// A file beside the model that holds weights.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ExternalFile {
    /// Its path relative to the model's folder.
    pub location: String,
    /// Number of tensors in it.
    pub tensors: usize,
    /// Bytes that the model uses of it.
    pub bytes: u64,
    /// The least size that the file must have, in bytes.
    pub end: u64,
}

impl ModelSummary {
    /// Summarizes `model`.
    pub fn new(model: &ModelProto) -> Self {
        let empty = GraphProto::default();
        let graph = model.graph.as_ref().unwrap_or(&empty);
        let mut counts = Counts::default();
        counts.add_graph(graph);
        let opsets = model.opset_import.iter().map(|it| OperatorSet {
            domain: match it.domain() {
                "" => "ai.onnx".to_owned(),
                domain => domain.to_owned(),
            },
            version: it.version,
        });
        let props = model.metadata_props.iter();
        Self {
            producer: format!("{} {}", model.producer_name, model.producer_version)
                .trim()
                .to_owned(),
            ir_version: model.ir_version,
            opsets: opsets.collect(),
            name: graph.name.clone(),
            inputs: inputs(graph),
            outputs: graph.output.iter().map(PortSummary::new).collect(),
            nodes: counts.operators.values().sum(),
            operators: counts.operators,
            parameters: counts.parameters,
            weights: counts.weights.into_values().collect(),
            external_files: counts.external_files.into_values().collect(),
            metadata: props.map(|it| (it.key.clone(), it.value.clone())).collect(),
        }
    }
}

/// Older exporters list initializers among the inputs; such inputs are not required.
fn inputs(graph: &GraphProto) -> Vec<PortSummary> {
    let initializers: std::collections::BTreeSet<&str> = graph
        .initializer
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    let given = graph.input.iter();
    given
        .filter(|input| !initializers.contains(input.name.as_str()))
        .map(PortSummary::new)
        .collect()
}

impl PortSummary {
    fn new(value: &crate::proto::ValueInfoProto) -> Self {
        Self {
            name: value.name.clone(),
            tensor_type: TensorType::of_value(value),
            doc: value.doc_string.clone(),
        }
    }
}

#[derive(Default)]
struct Counts {
    operators: BTreeMap<String, usize>,
    parameters: u64,
    weights: BTreeMap<String, WeightSummary>,
    external_files: BTreeMap<String, ExternalFile>,
}

impl Counts {
    /// The recursion ends: decoding limits the depth of graphs.
    fn add_graph(&mut self, graph: &GraphProto) {
        graph.initializer.iter().for_each(|it| self.add_tensor(it));
        for node in &graph.node {
            let operator = match node.domain.as_str() {
                "" | "ai.onnx" => node.op_type.clone(),
                domain => format!("{domain}.{}", node.op_type),
            };
            *self.operators.entry(operator).or_insert(0) += 1;
            for attribute in &node.attribute {
                attribute.t.iter().for_each(|it| self.add_tensor(it));
                attribute.g.iter().for_each(|it| self.add_graph(it));
            }
        }
    }

    fn add_tensor(&mut self, tensor: &TensorProto) {
        let dtype = TensorType::of_tensor(tensor).dtype;
        let elements = tensor_type::elements(tensor);
        // Integers of more than 8 bits are shapes, indices and positions, not weights.
        let is_index = ["int64", "int32", "bool", "string"].contains(&dtype.as_str());
        if !is_index && !tensor.dims.is_empty() {
            self.parameters = self.parameters.saturating_add(elements);
        }
        let bytes = tensor_type::bytes(tensor);
        let external = ExternalData::of(tensor);
        let weights = self.weights.entry(dtype.clone()).or_default();
        weights.dtype = dtype;
        weights.tensors += 1;
        weights.elements = weights.elements.saturating_add(elements);
        let counted = match external {
            Some(_) => &mut weights.external_bytes,
            None => &mut weights.embedded_bytes,
        };
        *counted = counted.saturating_add(bytes);
        if let Some(external) = external {
            let file = self.external_files.entry(external.location.to_owned());
            let file = file.or_insert_with(|| ExternalFile {
                location: external.location.to_owned(),
                tensors: 0,
                bytes: 0,
                end: 0,
            });
            file.tensors += 1;
            file.bytes = file.bytes.saturating_add(bytes);
            file.end = file.end.max(external.offset.saturating_add(bytes));
        }
    }
}
