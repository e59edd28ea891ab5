//! What the nodes of attention between its dense layers compute, found from the origins of their
//! inputs.

use std::collections::{HashMap, HashSet};

use nezha_graphs::proto::GraphProto;

use super::part::{Group, Place, place};

/// What a value inside attention was computed from.
#[derive(Clone, Copy, PartialEq)]
enum Origin {
    /// Only positions.
    Positions,
    /// Positions and the model's states, before the sum with a value that BERT has too.
    Relative,
    /// Anything else.
    States,
}

/// The nodes of attention that work on relative positions, including the sums with other values.
pub(super) fn relative_nodes(graph: &GraphProto, places: &[Place]) -> HashSet<usize> {
    let stored = graph.initializer.iter().map(|it| it.name.as_str());
    let (tables, weights): (Vec<&str>, Vec<&str>) =
        stored.partition(|it| matches!(place(it), Place::Group(Group::AttentionRelative)));
    let mut constants: HashSet<&str> = HashSet::from([""]);
    constants.extend(weights);
    let mut origins: HashMap<&str, Origin> = HashMap::new();
    origins.extend(tables.into_iter().map(|it| (it, Origin::Positions)));
    let mut relative = HashSet::new();
    for (index, (node, place)) in graph.node.iter().zip(places).enumerate() {
        if node.op_type == "Constant" {
            constants.extend(node.output.iter().map(String::as_str));
            continue;
        }
        let inputs: Vec<Origin> = node
            .input
            .iter()
            .filter(|it| !constants.contains(it.as_str()))
            .map(|it| *origins.get(it.as_str()).unwrap_or(&Origin::States))
            .collect();
        let has = |origin| inputs.contains(&origin);
        let origin = match place {
            Place::Group(Group::AttentionRelative) => Origin::Positions,
            Place::Group(_) => Origin::States,
            Place::Attention if !has(Origin::Positions) && !has(Origin::Relative) => Origin::States,
            Place::Attention => {
                relative.insert(index);
                match (has(Origin::Relative), has(Origin::States)) {
                    (_, true) if node.op_type == "Add" => Origin::States,
                    (false, false) => Origin::Positions,
                    _ => Origin::Relative,
                }
            }
        };
        origins.extend(node.output.iter().map(|it| (it.as_str(), origin)));
    }
    relative
}

/// The nodes of attention that the softmax depends on, and the softmax itself.
pub(super) fn score_nodes(graph: &GraphProto, places: &[Place]) -> HashSet<usize> {
    let mut needed: HashSet<&str> = HashSet::new();
    let mut scores = HashSet::new();
    for (index, (node, place)) in graph.node.iter().zip(places).enumerate().rev() {
        let is_score = node.output.iter().any(|it| needed.contains(it.as_str()));
        let in_attention = matches!(place, Place::Attention);
        if in_attention && (is_score || node.op_type.contains("Softmax")) {
            scores.insert(index);
            needed.extend(node.input.iter().map(String::as_str));
        }
    }
    scores
}
