//! Small graphs for the tests of passes, and their text form.

use nezha_graphs::{DType, Dim, Port};

use super::{Pass, apply};
use crate::graph::{Builder, Graph, Value, Weights};

/// The weights of small graphs: a dense layer, a large and a small table, and a decoder.
struct Small;

impl Weights for Small {
    fn shape(&self, name: &str) -> Option<&[usize]> {
        match name {
            "dense.weight" => Some(&[6, 4]),
            "dense.bias" => Some(&[6]),
            "norm.weight" | "norm.bias" => Some(&[4]),
            "words.weight" => Some(&[32, 4]),
            "words.bias" => Some(&[32]),
            "types.weight" => Some(&[2, 4]),
            _ => None,
        }
    }
}

/// The graph whose output `y` is the value that `build` returns.
pub(super) fn built(build: impl FnOnce(&Builder) -> Value) -> Graph {
    let builder = Builder::new("small", 17, &Small);
    let y = build(&builder);
    let y_type = builder.scope("").value_type(y);
    builder.output(&Port::new("y", y_type.dtype, &y_type.shape, ""), Some(y));
    builder.finish().unwrap()
}

/// An input of a shape such as `batch, 4`.
pub(super) fn input(builder: &Builder, name: &str, dtype: DType, shape: &str) -> Value {
    let dims: Vec<Dim> = shape.split(',').map(|it| Dim::parse(it.trim())).collect();
    builder.input(&Port::new(name, dtype, &dims, ""))
}

/// `x·Wᵀ` with the weight of the dense layer.
pub(super) fn dense(builder: &Builder, x: Value) -> Value {
    let s = builder.scope("dense");
    s.matmul(x, s.transposed_weight("weight", [6, 4]))
}

/// The nodes of the graph after a pass: their results and inputs.
#[track_caller]
pub(super) fn after(pass: &dyn Pass, graph: Graph) -> Vec<String> {
    lines(&apply(pass, graph).unwrap())
}

/// The nodes of a graph: their results and inputs.
pub(super) fn lines(graph: &Graph) -> Vec<String> {
    let name = |value: &Value| graph.value_name(*value).to_owned();
    let result = |value: &Value| {
        let value_type = graph.value_type(*value);
        Port::new(name(value), value_type.dtype, &value_type.shape, "").to_string()
    };
    let lines = graph.nodes.iter().map(|node| {
        let results: Vec<String> = node.outputs.iter().map(result).collect();
        let inputs: Vec<String> = node.inputs.iter().map(name).collect();
        let operator = node.op.name();
        format!("{} = {operator}({})", results.join(", "), inputs.join(", "))
    });
    lines.collect()
}

/// The names of the initializers of a graph.
pub(super) fn initializers(graph: &Graph) -> Vec<&str> {
    let values = graph.initializers.iter().map(|it| it.value);
    values.map(|it| graph.value_name(it)).collect()
}
