//! Which part of the model a node belongs to: by the module path in its name, and inside of attention
//! by what it computes.

use std::collections::HashMap;

use nezha_graphs::proto::{GraphProto, NodeProto};

use super::attention;
use super::part::{Group, Place, place};

/// What ONNX Runtime puts before the name of a value that it casts.
const CASTS: [&str; 2] = ["InsertedPrecisionFreeCast_", "InsertedCast_"];
/// Operators that only bring a value into the form that the next one takes.
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

/// A node's name; some exporters give it none, but what it writes has one.
fn name(node: &NodeProto) -> &str {
    match node.name.as_str() {
        "" => node.output.first().map_or("", String::as_str),
        name => name,
    }
}

/// Where the nodes of an engine belong that has rewritten the graph.
pub(super) struct Groups<'g> {
    names: HashMap<&'g str, (&'g str, Group)>,
    /// The model's nodes by what they write.
    writers: HashMap<&'g str, (&'g str, Group)>,
    /// The rewritten graph's nodes.
    rewritten: HashMap<&'g str, &'g NodeProto>,
    /// What reads a value of the rewritten graph; of several readers, one.
    readers: HashMap<&'g str, &'g NodeProto>,
}

/// Where an engine's node belongs.
#[derive(Debug, PartialEq)]
pub(super) struct Placed {
    pub group: Group,
    /// The node of the model that it is, or the last one that was fused into it.
    pub origin: Option<String>,
}

impl<'g> Groups<'g> {
    /// Those of a model, and of the graph that an engine has made of it, where it says so.
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

    /// By its name, which engines extend at either end or replace by that of what it writes; else by what
    /// it writes; else, if it only prepares a value, by what reads that; else by the path in its name.
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

    /// The longest beginning of the name that is a node's.
    fn by_name(&self, name: &str) -> Option<&(&'g str, Group)> {
        let name = without_cast(name);
        let ends = name
            .char_indices()
            .filter(|(_, letter)| !letter.is_alphanumeric());
        let mut ends = std::iter::once(name.len()).chain(ends.map(|(index, _)| index).rev());
        ends.find_map(|end| self.names.get(name.get(..end)?))
    }

    /// The longest end of the name that is a node's: what OpenVINO puts before it, it is made for.
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

/// OpenVINO's LayerNorm, before it multiplies with the weights.
const LAYER_NORM: &str = "MVN";

/// Places nodes that no name tells about where the node before them is, and the first ones where the
/// next one is; nodes come with their operators.
///
/// A LayerNorm that follows the dense layers of attention is attention's: the sum before it may be fused
/// into those.
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
mod tests {
    use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
    use nezha_exporter::{ExportOptions, export};
    use nezha_graphs::proto::ModelProto;
    use nezha_graphs::read_model;

    use super::*;

    /// A head of a fixture.
    fn exported(fixture: &str) -> ModelProto {
        let fixture = testkit::fixture_folder(fixture);
        let checkpoint = Checkpoint::open(&fixture, &OpenOptions::default()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let artifacts = export(&checkpoint, folder.path(), &ExportOptions::default()).unwrap();
        read_model(&artifacts.artifacts[0].file.path).unwrap()
    }

    #[test]
    fn every_node_of_every_head_has_a_part() {
        for fixture in [
            "decoder-cross-attention/base",
            "odd-sizes/question-answering",
            "reach-0/base",
            "reach-4/base",
            "reach-4/masked-lm",
            "reach-4/multiple-choice",
            "reach-4/next-sentence",
            "reach-4/pretraining",
            "reach-4/sequence-classification",
            "reach-4/token-classification",
        ] {
            let model = exported(fixture);
            let graph = model.graph.unwrap();
            let lost: Vec<(&str, Group)> = graph
                .node
                .iter()
                .map(name)
                .zip(groups(&graph))
                .filter(|(_, group)| matches!(group, Group::Other | Group::Module(_)))
                .collect();
            assert!(lost.is_empty(), "{fixture}: {lost:?}");
        }
    }

    #[test]
    fn the_products_of_attention_are_told_apart() {
        let graph = exported("reach-4/base").graph.unwrap();
        let groups = Groups::new(&graph, None);
        for (node, expected) in [
            ("query/MatMul", Group::AttentionProjections),
            ("/MatMul", Group::AttentionScores),
            ("/MatMul_1", Group::AttentionRelative),
            ("/GatherElements", Group::AttentionRelative),
            ("/Softmax", Group::AttentionSoftmax),
            ("/MatMul_2", Group::AttentionContext),
            ("/MatMul_3", Group::AttentionRelative),
            ("/Transpose_4", Group::AttentionContext),
        ] {
            let separator = if node.starts_with('/') { "" } else { "." };
            let name = format!("nezha.encoder.layer.1.attention.self{separator}{node}");
            assert_eq!(groups.place(&name).group, expected, "{name}");
        }
    }

    #[test]
    fn an_exported_bert_has_the_same_parts() {
        for (name, expected) in [
            ("/bert/embeddings/LayerNorm/Add", Group::Embeddings),
            (
                "/bert/encoder/layer.0/attention/self/query/MatMul",
                Group::AttentionProjections,
            ),
            (
                "/encoder/layer.11/attention/output/LayerNorm/Sqrt",
                Group::AttentionNorm,
            ),
            (
                "/encoder/layer.11/intermediate/dense/MatMul",
                Group::FeedForward,
            ),
            ("/encoder/layer.11/output/Add", Group::FeedForward),
            ("/pooler/activation/Tanh", Group::Pooler),
            ("/classifier/Gemm", Group::Head),
            (
                "/model/decoder/rotary/Cos",
                Group::Module("model.decoder".to_owned()),
            ),
            ("node_MatMul_12", Group::Other),
        ] {
            let Place::Group(group) = place(name) else {
                panic!("{name} is in attention");
            };
            assert_eq!(group, expected, "{name}");
        }
    }

    #[test]
    fn a_node_that_an_engine_makes_for_another_is_where_that_one_is() {
        let model = GraphProto {
            node: vec![
                node("nezha.pooler/Tanh", "Tanh", "x", "pooled"),
                node("classifier/Gemm", "Gemm", "pooled", "logits"),
            ],
            ..GraphProto::default()
        };
        let groups = Groups::new(&model, None);
        for (name, group) in [
            ("Subtract_20331_i32_f32_classifier/Gemm", Group::Head),
            ("x_f32_bf16_nezha.pooler/Tanh", Group::Pooler),
            ("logits", Group::Head),
            ("Subtract_20331", Group::Other),
        ] {
            assert_eq!(groups.place(name).group, group, "{name}");
        }
    }

    #[test]
    fn a_node_without_a_place_is_where_the_one_before_it_is() {
        let placed = |(op_type, group)| {
            let origin = None;
            (op_type, Placed { group, origin })
        };
        let mut nodes = [
            ("Convert", Group::Other),
            ("Gather", Group::Embeddings),
            ("MVN", Group::Other),
            ("FullyConnected", Group::AttentionProjections),
            ("Reorder", Group::Other),
            ("MVN", Group::Other),
            ("MulAdd", Group::Other),
        ]
        .map(placed);
        place_by_neighbours(&mut nodes);
        let expected = [
            Group::Embeddings,
            Group::Embeddings,
            Group::Embeddings,
            Group::AttentionProjections,
            Group::AttentionProjections,
            Group::AttentionNorm,
            Group::AttentionNorm,
        ];
        assert_eq!(nodes.map(|it| it.1.group), expected);
        let mut unknown = [placed(("MVN", Group::Other))];
        place_by_neighbours(&mut unknown);
        assert_eq!(unknown, [placed(("MVN", Group::Other))]);
    }

    fn node(name: &str, op_type: &str, input: &str, output: &str) -> NodeProto {
        NodeProto {
            name: name.to_owned(),
            op_type: op_type.to_owned(),
            input: vec![input.to_owned()],
            output: vec![output.to_owned()],
            ..NodeProto::default()
        }
    }

    #[test]
    fn a_fused_node_is_placed_by_what_it_writes_and_an_inserted_one_by_what_reads_it() {
        let nodes = |node: Vec<NodeProto>| GraphProto {
            node,
            ..GraphProto::default()
        };
        let model = nodes(vec![
            node("nezha.embeddings/Add", "Add", "x", "sum"),
            node("nezha.pooler/Tanh", "Tanh", "sum", "pooled"),
        ]);
        let rewritten = nodes(vec![
            node("Skip_token_6", "SkipLayerNormalization", "x", "sum"),
            node(
                "Skip_token_7",
                "SkipLayerNormalization",
                "x",
                "InsertedPrecisionFreeCast_sum",
            ),
            node("Transpose_token_3", "Transpose", "sum", "turned"),
            node("nezha.pooler/Tanh/Fused/", "Tanh", "turned", "pooled"),
            node("Unknown_1", "Einsum", "x", "y"),
            node("nezha.pooler/Tanh", "Tanh", "y", "z"),
        ]);
        let groups = Groups::new(&model, Some(&rewritten));
        for (name, group, origin) in [
            (
                "Skip_token_6",
                Group::Embeddings,
                Some("nezha.embeddings/Add"),
            ),
            (
                "Skip_token_7",
                Group::Embeddings,
                Some("nezha.embeddings/Add"),
            ),
            (
                "Transpose_token_3",
                Group::Pooler,
                Some("nezha.pooler/Tanh"),
            ),
            (
                "nezha.pooler/Tanh/Fused/",
                Group::Pooler,
                Some("nezha.pooler/Tanh"),
            ),
            ("Unknown_1", Group::Other, None),
        ] {
            let origin = origin.map(str::to_owned);
            assert_eq!(groups.place(name), Placed { group, origin }, "{name}");
        }
    }
}
