//! Why OpenVINO refuses a model, with the node that it means.

use nezha_graphs::proto::NodeProto;

use super::readable;
use crate::Model;
use crate::engine::{EngineError, EngineKind};

/// What precedes the list of operators that OpenVINO doesn't implement.
const UNKNOWN: &str = "No conversion rule found for operations:";
/// What precedes the list of operators whose nodes it can't convert.
const BROKEN: &str = "Conversion is failed for:";

/// The error of a model that OpenVINO can't read or compile.
pub(super) fn refused(engine: EngineKind, model: &Model, message: &str) -> EngineError {
    let nodes = || model.proto().graph.iter().flat_map(|it| &it.node);
    let path = model.path().to_path_buf();
    if let Some(node) = nodes().find(|it| is_listed(message, UNKNOWN, it)) {
        return EngineError::Operator {
            engine,
            path,
            operator: node.op_type.clone(),
            node: name(node).to_owned(),
            remedy: "run it in another engine, or export it with fewer options",
        };
    }
    let broken = nodes().find(|it| is_listed(message, BROKEN, it));
    let node = broken.map_or(String::new(), |it| format!("node '{}': ", name(it)));
    EngineError::Load {
        engine,
        path,
        reason: format!("{node}{}", readable(message)),
    }
}

/// Whether a message lists a node's operator, as in `my.Frobnicate, Gather-17`.
fn is_listed(message: &str, list: &str, node: &NodeProto) -> bool {
    let lists = message.lines().filter_map(|line| line.split_once(list));
    lists
        .flat_map(|(_, operators)| operators.split(','))
        .map(str::trim)
        .map(|operator| operator.rsplit_once('-').map_or(operator, |it| it.0))
        .any(|operator| operator.rsplit('.').next() == Some(&node.op_type))
}

/// A node's name; if it has none, the name of its first output.
fn name(node: &NodeProto) -> &str {
    match node.name.as_str() {
        "" => node.output.first().map_or("", String::as_str),
        name => name,
    }
}
