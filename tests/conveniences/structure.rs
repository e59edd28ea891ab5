//! A graph has what its outputs need and nothing else.

use nezha_graphs::{GraphOptions, Head, Pooling};
use nezha_runtime::Model;
use testkit::engines::artifact;

use super::reach_4;

/// The nodes of the graph, and the names of its initializers.
fn content(graph: &GraphOptions, head: Head) -> (Vec<String>, Vec<String>, Model) {
    let fixture = reach_4(head);
    let (_folder, path) = artifact(&fixture.folder, head, graph, 17);
    let model = Model::open(&path).unwrap();
    let graph = model.proto().graph.as_ref().unwrap();
    let nodes = graph.node.iter().map(|it| it.op_type.clone()).collect();
    let initializers = graph.initializer.iter().map(|it| it.name.clone()).collect();
    (nodes, initializers, model)
}

#[test]
fn a_graph_computes_nothing_that_is_no_output() {
    let (nodes, weights, _) = content(&GraphOptions::default().pooling(Pooling::Mean), Head::Base);
    assert!(
        weights.iter().all(|it| !it.contains("pooler")),
        "{weights:#?}"
    );
    assert!(!nodes.contains(&"Tanh".to_owned()), "{nodes:?}");

    let plain = content(&GraphOptions::default(), Head::MaskedLm).0;
    for op in ["TopK", "GatherND"] {
        assert!(!plain.contains(&op.to_owned()), "{op} in {plain:?}");
    }
    let softmaxes = |nodes: &[String]| nodes.iter().filter(|it| *it == "Softmax").count();
    let probable = GraphOptions::default().probabilities(true).top_k(2);
    let probable = content(&probable, Head::MaskedLm).0;
    assert_eq!(softmaxes(&probable), softmaxes(&plain) + 1);

    let few = GraphOptions::default().mask_positions(true);
    let (nodes, _, model) = content(&few, Head::MaskedLm);
    let gathers = nodes.iter().position(|it| it == "GatherND").unwrap();
    let projects = nodes.iter().position(|it| it == "Gemm").unwrap();
    assert!(
        gathers < projects,
        "the tokens are picked before they are projected"
    );
    let projections = nodes.iter().filter(|it| *it == "Gemm").count();
    assert_eq!(projections, 1, "and nothing else is projected");
    let logits = &model.signature().outputs[0];
    assert_eq!(
        logits.to_string(),
        "logits: float32[num_mask_positions, 47]"
    );
}
