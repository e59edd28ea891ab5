//! Differences between an artifact and its checkpoint, other than the elements of initializers.

use std::fmt;

use nezha_graphs::proto::{NodeProto, ValueInfoProto};
use nezha_graphs::{Config, Port, attribute_text};
use serde::Serialize;
use serde_json::Value;

use super::stored::StoredModel;
use crate::graph::Graph;
use crate::onnx;

/// A difference between an artifact and what this version builds from the checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Difference {
    /// The artifact has another config.
    Config {
        /// The field.
        field: String,
        /// The checkpoint's value.
        expected: String,
        /// The artifact's value.
        found: String,
    },
    /// The transitions of a head of the user's own differ; they are in the metadata.
    Crf {
        /// The output whose labels they decode.
        output: String,
    },
    /// A node, an input, an output or the type of an intermediate value differs.
    Graph {
        /// `node`, `input`, `output` or `value_info`.
        part: &'static str,
        /// The position of the first one that differs.
        position: usize,
        /// What this version builds there.
        expected: String,
        /// What the artifact contains there.
        found: String,
    },
    /// The artifact lacks an initializer.
    Missing {
        /// The initializer.
        name: String,
    },
    /// An initializer is not in the graph, or is repeated.
    Unexpected {
        /// The initializer.
        name: String,
    },
    /// An initializer has another element type, shape or size.
    Type {
        /// The initializer.
        name: String,
        /// The expected type.
        expected: String,
        /// The type in the artifact.
        found: String,
    },
    /// An initializer has other elements.
    Value {
        /// The initializer.
        name: String,
        /// The first element that differs.
        index: Vec<usize>,
        /// The checkpoint's value of it.
        expected: String,
        /// The artifact's value of it.
        found: String,
        /// Number of elements that differ.
        differing: u64,
        /// Number of elements of the initializer.
        elements: u64,
    },
    /// A quantized weight represents a number too far from the checkpoint's.
    Rounding {
        /// The initializer.
        name: String,
        /// Row and column of the first such element in the checkpoint's matrix.
        index: Vec<usize>,
        /// The checkpoint's weight.
        weight: String,
        /// The number that the artifact's weight represents.
        found: String,
        /// The step of the quantization: represented numbers are multiples of it.
        step: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Config {
                field,
                expected,
                found,
            } => write!(
                f,
                "config field '{field}' is {found} in the artifact and {expected} in the checkpoint"
            ),
            Difference::Graph {
                part,
                position,
                expected,
                found,
            } => write!(
                f,
                "{part} {position} is {found}, and this version builds {expected}"
            ),
            Difference::Crf { output } => write!(
                f,
                "the CRF of output '{output}' has other numbers than the checkpoint's"
            ),
            Difference::Missing { name } => write!(f, "initializer '{name}' is missing"),
            Difference::Unexpected { name } => write!(
                f,
                "initializer '{name}' is one too many, or there under another name"
            ),
            Difference::Type {
                name,
                expected,
                found,
            } => write!(f, "initializer '{name}' is {found}, expected {expected}"),
            Difference::Value {
                name,
                index,
                expected,
                found,
                differing,
                elements,
            } => write!(
                f,
                "initializer '{name}' is {found} at {index:?}, expected {expected} ({differing} of \
                 {elements} elements differ)"
            ),
            Difference::Rounding {
                name,
                index,
                weight,
                found,
                step,
            } => write!(
                f,
                "initializer '{name}' stands for {found} at {index:?}, more than half a step of \
                 {step} from the checkpoint's {weight}"
            ),
        }
    }
}

/// The fields in which the configs of artifact and checkpoint differ.
pub(super) fn config(found: &Config, expected: &Config) -> Vec<Difference> {
    let fields = |config: &Config| match serde_json::to_value(config) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let found = fields(found);
    let differ = fields(expected)
        .into_iter()
        .filter(|(field, value)| found.get(field) != Some(value));
    differ
        .map(|(field, value)| Difference::Config {
            found: found.get(&field).unwrap_or(&Value::Null).to_string(),
            expected: value.to_string(),
            field,
        })
        .collect()
}

/// The first node, input, output and intermediate type that differ.
pub(super) fn graph(expected: &Graph, model: &StoredModel) -> Vec<Difference> {
    let expected = onnx::graph_message(expected);
    let found = &model.graph;
    let port = |it: &ValueInfoProto| match Port::from_proto(it) {
        Ok(port) => port.to_string(),
        Err(error) => error.to_string(),
    };
    [
        first("node", &expected.node, &found.node, node),
        first("input", &expected.input, &found.input, port),
        first("output", &expected.output, &found.output, port),
        first("value_info", &expected.value_info, &found.value_info, port),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn first<T: PartialEq>(
    part: &'static str,
    expected: &[T],
    found: &[T],
    text: impl Fn(&T) -> String,
) -> Option<Difference> {
    let length = expected.len().max(found.len());
    let position = (0..length).find(|at| expected.get(*at) != found.get(*at))?;
    let at = |all: &[T]| all.get(position).map_or("nothing".to_owned(), &text);
    Some(Difference::Graph {
        part,
        position,
        expected: at(expected),
        found: at(found),
    })
}

fn node(node: &NodeProto) -> String {
    let attributes = node.attribute.iter();
    let attributes: Vec<String> = attributes
        .map(|it| format!("{}={}", it.name, attribute_text(it)))
        .collect();
    format!(
        "{} = {}({}) {{{}}}",
        node.output.join(", "),
        node.op_type,
        node.input.join(", "),
        attributes.join(", ")
    )
}
