//! The part of the model that a node belongs to: found by the module path in its name, and inside
//! attention by what it computes.

use std::collections::HashMap;

use nezha_graphs::proto::{GraphProto, NodeProto};

use super::attention;
use super::part::{Group, Place, place};

/// The prefixes that ONNX Runtime adds to the name of a value that it casts.
const CASTS: [&str; 2] = ["InsertedPrecisionFreeCast_", "InsertedCast_"];
/// Operators that only prepare a value for the next operator.
const PREPARATIONS: [&str; 8] = [
    "Cast",
    "Identity",
    "MemcpyFromHost",
    "MemcpyToHost",
    "Reshape",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// The groups of a graph's nodes, in their order.
fn groups(graph: &GraphProto) -> Vec<Group> {
    let places: Vec<Place> = graph.node.iter().map(|it| place(name(it))).collect();
    let relative = attention::relative_nodes(graph, &places);
    let scores = attention::score_nodes(graph, &places);
    let numbered = graph.node.iter().zip(places).enumerate();
    numbered
        .map(|(index, (node, place))| match place {
            Place::Group(group) => group,
            Place::Attention if relative.contains(&index) => Group::AttentionRelative,
            Place::Attention if node.op_type.contains("Softmax") => Group::AttentionSoftmax,
            Place::Attention if scores.contains(&index) => Group::AttentionScores,
            Place::Attention => Group::AttentionContext,
        })
        .collect()
}

fn without_cast(name: &str) -> &str {
    let stripped = CASTS.iter().find_map(|it| name.strip_prefix(it));
    stripped.unwrap_or(name)
}

/// A node's name; if an exporter gave it none, the name of its first output.
fn name(node: &NodeProto) -> &str {
    match node.name.as_str() {
        "" => node.output.first().map_or("", String::as_str),
        name => name,
    }
}

/// Finds the groups of an engine's nodes, even if it has rewritten the graph.
pub(super) struct Groups<'g> {
    names: HashMap<&'g str, (&'g str, Group)>,
    /// The model's nodes by their outputs.
    writers: HashMap<&'g str, (&'g str, Group)>,
    /// The nodes of the rewritten graph.
    rewritten: HashMap<&'g str, &'g NodeProto>,
    /// A reader of each value in the rewritten graph; if there are several, one of them.
    readers: HashMap<&'g str, &'g NodeProto>,
}

/// The group of an engine's node.
#[derive(Debug, PartialEq)]
pub(super) struct Placed {
    pub group: Group,
    /// The same node in the model, or the last of the nodes that were fused into it.
    pub origin: Option<String>,
}

impl<'g> Groups<'g> {
    /// For a model and, if the engine writes it, the graph that the engine has rewritten.
    pub(super) fn new(graph: &'g GraphProto, rewritten: Option<&'g GraphProto>) -> Self {
        let nodes = graph.node.iter().zip(groups(graph));
        let nodes: Vec<(&NodeProto, (&str, Group))> = nodes
            .map(|(node, group)| (node, (name(node), group)))
            .collect();
        let rewritten = || rewritten.into_iter().flat_map(|it| &it.node);
        Self {
            names: nodes.iter().map(|(_, it)| (it.0, it.clone())).collect(),
            writers: nodes
                .iter()
                .flat_map(|(node, it)| node.output.iter().map(|out| (out.as_str(), it.clone())))
                .collect(),
            rewritten: rewritten().map(|it| (it.name.as_str(), it)).collect(),
            readers: rewritten()
                .flat_map(|node| node.input.iter().map(move |it| (it.as_str(), node)))
                .collect(),
        }
    }

    /// Places a node by its name, which engines extend at either end or replace by that of its
    /// output; or else by its outputs; or else, if it only prepares a value, by the reader of that
    /// value; or else by the path in its name.
    pub(super) fn place(&self, node: &str) -> Placed {
        let found = self.by_name(node).or_else(|| self.writers.get(node));
        let found = found.or_else(|| self.by_end(node));
        let found = found.or_else(|| {
            let node = self.rewritten.get(node)?;
            self.by_output(node).or_else(|| self.by_reader(node))
        });
        match found {
            Some((origin, group)) => Placed {
                group: group.clone(),
                origin: Some((*origin).to_owned()),
            },
            None => Placed {
                group: match place(node) {
                    Place::Group(group) => group,
                    Place::Attention => Group::AttentionContext,
                },
                origin: None,
            },
        }
    }

    /// Finds the longest prefix of the name that is a node's name.
    fn by_name(&self, name: &str) -> Option<&(&'g str, Group)> {
        let name = without_cast(name);
        let ends = name
            .char_indices()
            .filter(|(_, letter)| !letter.is_alphanumeric());
        let mut ends = std::iter::once(name.len()).chain(ends.map(|(index, _)| index).rev());
        ends.find_map(|end| self.names.get(name.get(..end)?))
    }

    /// Finds the longest suffix of the name that is a node's name: OpenVINO names the nodes that it
    /// adds for another one like this.
    fn by_end(&self, name: &str) -> Option<&(&'g str, Group)> {
        let mut begins = name.match_indices(|letter: char| !letter.is_alphanumeric());
        begins.find_map(|(index, letter)| self.names.get(name.get(index + letter.len()..)?))
    }

    fn by_output(&self, node: &NodeProto) -> Option<&(&'g str, Group)> {
        node.output
            .iter()
            .find_map(|it| self.writers.get(without_cast(it)))
    }

    fn by_reader(&self, node: &NodeProto) -> Option<&(&'g str, Group)> {
        let prepares = PREPARATIONS.contains(&node.op_type.as_str());
        let outputs = node.output.iter().filter(|_| prepares);
        outputs
            .filter_map(|it| self.readers.get(it.as_str()))
            .find_map(|it| self.by_name(&it.name).or_else(|| self.by_output(it)))
    }
}

/// OpenVINO's LayerNorm, without the multiplication by its weights.
const LAYER_NORM: &str = "MVN";

/// Places nodes that no name helps to place: each goes to the group of the node before it, and the
/// first ones to that of the next node. Nodes come with their operators.
///
/// A LayerNorm that follows the dense layers of attention belongs to attention: the sum before it
/// may be fused into those layers.
pub(super) fn place_by_neighbours(nodes: &mut [(&str, Placed)]) {
    let is_known = |it: &&(&str, Placed)| it.1.group != Group::Other;
    let Some(mut last) = nodes.iter().find(is_known).map(|it| it.1.group.clone()) else {
        return;
    };
    for (op_type, place) in nodes {
        if place.group == Group::Other {
            place.group = match last {
                Group::AttentionProjections if *op_type == LAYER_NORM => Group::AttentionNorm,
                _ => last,
            };
        }
        last = place.group.clone();
    }
}

#[cfg(test)]
mod tests;
