//! What is asked at each node must not depend on how many there are: the deepest config that is
//! accepted exports in every precision and placement of weights, each layer as the one before.

use nezha_exporter::inspect::read_model;
use nezha_exporter::{ExportOptions, Heads, Placement};
use nezha_graphs::{GraphOptions, Head, Precision};

use crate::support::{exported, sparse};

/// The most layers that a config may have.
const LAYERS: usize = 1024;

/// Nodes and initializers of the base head of `layers` tiny layers.
fn sizes(layers: usize, options: &ExportOptions) -> [usize; 2] {
    let checkpoint = sparse(8, 4, layers, 4);
    // Linked weights stay in the checkpoint's folder.
    let exported = exported(checkpoint.path(), checkpoint.path(), options);
    let model = read_model(&exported.artifacts[0].file.path).unwrap();
    let graph = model.graph.unwrap();
    [graph.node.len(), graph.initializer.len()]
}

fn assert_each_layer_is_alike(context: &str, options: &ExportOptions) {
    let [two, three] = [2, 3].map(|layers| sizes(layers, options));
    let deep = sizes(LAYERS, options);
    for (i, what) in ["nodes", "initializers"].into_iter().enumerate() {
        let of_layer = three[i] - two[i];
        assert_eq!(
            deep[i],
            three[i] + (LAYERS - 3) * of_layer,
            "{context}: {what} of {LAYERS} layers, at {of_layer} for each"
        );
    }
}

fn base() -> ExportOptions {
    ExportOptions::default().heads(Heads::Named(vec![Head::Base]))
}

#[test]
fn the_deepest_model_exports_in_every_precision() {
    for precision in Precision::ALL {
        let options = base().precisions(vec![precision]);
        assert_each_layer_is_alike(precision.name(), &options);
    }
}

#[test]
fn the_deepest_model_exports_wherever_its_weights_lie() {
    for weights in [Placement::External, Placement::Linked] {
        let options = base().weights(weights);
        assert_each_layer_is_alike(&format!("{weights:?}"), &options);
    }
}

#[test]
fn the_deepest_model_exports_with_every_layers_states_and_attentions() {
    let options = base()
        .graph(GraphOptions::default().hidden_states(true).attentions(true))
        .precisions(vec![Precision::Fp16]);
    assert_each_layer_is_alike("all outputs", &options);
}
