use bytes::Bytes;
use nezha_exporter::checkpoint::{Checkpoint, MemoryTensor, OpenOptions};
use nezha_exporter::graph::{NoWeights, WeightError};
use nezha_exporter::nezha::{BuildError, build};
use nezha_exporter::{ExportOptions, Heads, OPSETS, export};
use nezha_graphs::proto::ModelProto;
use nezha_graphs::{Config, Head, read_model};

use super::*;

/// The config of a small NEZHA; `more` adds or replaces fields.
fn config(more: &[(&str, serde_json::Value)]) -> String {
    let mut config = serde_json::json!({
        "model_type": "nezha",
        "vocab_size": 47,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "hidden_act": "gelu",
        "max_relative_position": 4,
        "type_vocab_size": 2,
        "num_labels": 2,
    });
    for (name, value) in more {
        config[*name] = value.clone();
    }
    config.to_string()
}

/// A head with weights that are all zero.
fn exported(head: Head, config: &str) -> ModelProto {
    let parsed = Config::from_json(config).unwrap();
    let options = ExportOptions::default().heads(Heads::Named(vec![head]));
    // A build without weights fails, and lists the weights that the head reads.
    let Err(BuildError::Weights { faults, .. }) = build(
        &NoWeights,
        &parsed,
        head,
        &Default::default(),
        *OPSETS.start(),
    ) else {
        panic!("{head} needs no weights");
    };
    let tensors = faults.into_iter().map(|fault| match fault {
        WeightError::Missing { name, expected } => MemoryTensor {
            name,
            dtype: "F32".to_owned(),
            bytes: Bytes::from(vec![0; 4 * expected.iter().product::<usize>()]),
            shape: expected,
        },
        other => panic!("{head}: {other}"),
    });
    let checkpoint =
        Checkpoint::from_tensors(tensors, config, "zeros", &OpenOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let exported = export(&checkpoint, folder.path(), &options).unwrap();
    read_model(&exported.artifacts[0].file.path).unwrap()
}

#[test]
fn every_node_of_every_head_has_a_part() {
    let plain = config(&[]);
    let models = Head::ALL.map(|head| (head, plain.clone())).into_iter();
    for (head, config) in models.chain([
        (Head::Base, config(&[("max_relative_position", 0.into())])),
        (
            Head::Base,
            config(&[
                ("is_decoder", true.into()),
                ("add_cross_attention", true.into()),
            ]),
        ),
        (
            Head::QuestionAnswering,
            config(&[
                ("hidden_size", 30.into()),
                ("num_attention_heads", 5.into()),
                ("intermediate_size", 37.into()),
                ("hidden_act", "gelu_fast".into()),
            ]),
        ),
    ]) {
        let model = exported(head, &config);
        let graph = model.graph.unwrap();
        let lost: Vec<(&str, Group)> = graph
            .node
            .iter()
            .map(name)
            .zip(groups(&graph))
            .filter(|(_, group)| matches!(group, Group::Other | Group::Module(_)))
            .collect();
        assert!(lost.is_empty(), "{head}, {config}: {lost:?}");
    }
}

#[test]
fn the_products_of_attention_are_told_apart() {
    let graph = exported(Head::Base, &config(&[])).graph.unwrap();
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
