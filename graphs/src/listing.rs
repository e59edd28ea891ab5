use std::collections::BTreeMap;

use crate::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};
use crate::{DType, ExternalData, TensorType, graph_types};

/// The most elements of a constant that are written out. Floats may be weights, so only a float
/// scalar is written out.
const SMALL: u64 = 8;

/// A model as lines of text, for review and comparison like code.
///
/// The text lists the inputs and outputs, then the weights and constants, then one line for each
/// operation, in order. Elements are written out only for small constants. An operation's line is:
///
/// ```text
/// result = Operator(values it reads) {attributes} : dtype[shape]
/// ```
///
/// If a result and its node have different names, the node's name follows. The same model gives the
/// same text. Versions of the producer, metadata and offsets in other files are left out, since
/// they change even if the graph doesn't.
pub fn listing(model: &ModelProto) -> String {
    let mut lines = vec![header(model)];
    if let Some(graph) = &model.graph {
        let types = graph_types(graph);
        section(
            &mut lines,
            "inputs",
            graph.input.iter().map(|it| port(&types, &it.name)),
        );
        section(
            &mut lines,
            "outputs",
            graph.output.iter().map(|it| port(&types, &it.name)),
        );
        section(
            &mut lines,
            "initializers",
            graph.initializer.iter().map(initializer),
        );
        section(
            &mut lines,
            "nodes",
            graph.node.iter().map(|it| node(&types, it)),
        );
    }
    lines.push(String::new());
    lines.join("\n")
}

type Types<'g> = BTreeMap<&'g str, TensorType>;

fn header(model: &ModelProto) -> String {
    let opsets = model.opset_import.iter().map(|it| match it.domain() {
        "" => format!("opset {}", it.version),
        domain => format!("{domain} {}", it.version),
    });
    let opsets: Vec<String> = opsets.collect();
    let graph = model.graph.as_ref();
    let name = graph.map_or("no graph", |graph| graph.name.as_str());
    format!(
        "{name}: IR version {}, {}",
        model.ir_version,
        opsets.join(", ")
    )
}

fn section(lines: &mut Vec<String>, title: &str, entries: impl Iterator<Item = String>) {
    lines.push(String::new());
    lines.push(title.to_owned());
    lines.extend(entries.map(|entry| format!("  {entry}")));
}

fn port(types: &Types, name: &str) -> String {
    format!("{name}: {}", type_of(types, name))
}

fn type_of(types: &Types, name: &str) -> String {
    types
        .get(name)
        .map_or_else(|| "?".to_owned(), TensorType::to_string)
}

fn initializer(tensor: &TensorProto) -> String {
    let declaration = format!("{}: {}", tensor.name, TensorType::of_tensor(tensor));
    match (ExternalData::of(tensor), constant_text(tensor)) {
        (Some(external), _) => format!("{declaration} in {}", external.location),
        (None, Some(elements)) => format!("{declaration} = {elements}"),
        (None, None) => declaration,
    }
}

/// The elements of a constant as text: up to 8 integers or booleans, or one float32. `None` for
/// larger constants and external data.
pub fn constant_text(tensor: &TensorProto) -> Option<String> {
    let count = crate::tensor_type::elements(tensor);
    let dtype = DType::from_onnx(tensor.data_type)?;
    let is_small = match dtype {
        DType::F32 | DType::F16 => tensor.dims.is_empty(),
        _ => count <= SMALL,
    };
    if !is_small || tensor.raw_data.len() as u64 != count * dtype.size() as u64 {
        return None;
    }
    let elements = tensor.raw_data.chunks_exact(dtype.size());
    let elements: Vec<String> = elements
        .map(|it| element(dtype, it))
        .collect::<Option<_>>()?;
    Some(match tensor.dims.is_empty() {
        true => elements.join(", "),
        false => format!("[{}]", elements.join(", ")),
    })
}

fn element(dtype: DType, bytes: &[u8]) -> Option<String> {
    Some(match dtype {
        DType::F32 => format!("{:?}", f32::from_le_bytes(bytes.try_into().ok()?)),
        DType::I64 => i64::from_le_bytes(bytes.try_into().ok()?).to_string(),
        DType::I32 => i32::from_le_bytes(bytes.try_into().ok()?).to_string(),
        DType::I8 => i8::from_le_bytes(bytes.try_into().ok()?).to_string(),
        DType::U8 => u8::from_le_bytes(bytes.try_into().ok()?).to_string(),
        DType::Bool => (bytes != [0]).to_string(),
        DType::F16 => return None,
    })
}

fn node(types: &Types, node: &NodeProto) -> String {
    let outputs: Vec<String> = node.output.iter().map(|it| type_of(types, it)).collect();
    let operator = match node.domain.as_str() {
        "" => node.op_type.clone(),
        domain => format!("{domain}.{}", node.op_type),
    };
    let mut line = format!(
        "{} = {operator}({})",
        node.output.join(", "),
        node.input.join(", ")
    );
    if !node.attribute.is_empty() {
        let attributes: Vec<String> = node.attribute.iter().map(attribute_text).collect();
        line += &format!(" {{{}}}", attributes.join(", "));
    }
    line += &format!(" : {}", outputs.join(", "));
    if node.output.first() != Some(&node.name) {
        line += &format!("  # {}", node.name);
    }
    line
}

/// An attribute as `name=value`. Tensors and graphs in it are described, not written out.
pub fn attribute_text(attribute: &AttributeProto) -> String {
    let value = match attribute.r#type {
        1 => format!("{:?}", attribute.f()),
        2 => attribute.i().to_string(),
        3 => format!("{:?}", String::from_utf8_lossy(attribute.s())),
        4 => attribute.t.as_deref().map_or_else(String::new, initializer),
        5 => attribute.g.as_deref().map_or_else(String::new, subgraph),
        6 => format!("{:?}", attribute.floats),
        7 => format!("{:?}", attribute.ints),
        other => format!("attribute type {other}"),
    };
    format!("{}={value}", attribute.name)
}

fn subgraph(graph: &GraphProto) -> String {
    format!("graph {} of {} nodes", graph.name, graph.node.len())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn scalar(dtype: DType, raw: &[u8]) -> TensorProto {
        TensorProto {
            data_type: dtype.onnx(),
            name: "c".into(),
            raw_data: Bytes::copy_from_slice(raw),
            ..TensorProto::default()
        }
    }

    #[test]
    fn constant_texts_show_their_elements_and_broken_ones_do_not() {
        let half = scalar(DType::F32, &0.5f32.to_le_bytes());
        assert_eq!(initializer(&half), "c: float32[] = 0.5");
        let axes = TensorProto {
            dims: vec![2],
            ..scalar(
                DType::I64,
                &[[1i64, -1].map(i64::to_le_bytes)].concat().concat(),
            )
        };
        assert_eq!(initializer(&axes), "c: int64[2] = [1, -1]");
        assert_eq!(initializer(&scalar(DType::I64, &[1, 2])), "c: int64[]");
    }

    #[test]
    fn a_model_without_a_graph_is_one_line() {
        assert_eq!(
            listing(&ModelProto::default()),
            "no graph: IR version 0, \n"
        );
    }
}
