//! What is asked at each node must not depend on how many there are: the deepest config that is
//! accepted exports in every precision and placement of weights, each layer as the one before.

use nezha_exporter::inspect::read_model;
use nezha_exporter::{ExportOptions, Heads, Placement};
use nezha_graphs::{GraphOptions, Head, Precision};
use testkit::compare::pairs;

use crate::support::{exported, sparse};

/// The most layers that a config may have.
const LAYERS: usize = 1024;

/// Nodes and initializers of the base head of `layers` tiny layers, in each precision.
fn sizes(layers: usize, options: &ExportOptions) -> Vec<(Precision, [usize; 2])> {
    let checkpoint = sparse(8, 4, layers, 4);
    // Linked weights stay in the checkpoint's folder.
    let exported = exported(checkpoint.path(), checkpoint.path(), options);
    let sizes = exported.artifacts.iter().map(|artifact| {
        let graph = read_model(&artifact.file.path).unwrap().graph.unwrap();
        let sizes = [graph.node.len(), graph.initializer.len()];
        (artifact.precision, sizes)
    });
    sizes.collect()
}

fn assert_each_layer_is_alike(context: &str, options: &ExportOptions) {
    let [two, three, deep] = [2, 3, LAYERS].map(|layers| sizes(layers, options));
    let models = pairs(context, pairs(context, two, three), deep);
    for (((_, two), (_, three)), (precision, deep)) in models {
        for (i, what) in ["nodes", "initializers"].into_iter().enumerate() {
            let of_layer = three[i] - two[i];
            assert_eq!(
                deep[i],
                three[i] + (LAYERS - 3) * of_layer,
                "{context}, {precision}: {what} of {LAYERS} layers, at {of_layer} for each"
            );
        }
    }
}

fn base() -> ExportOptions {
    ExportOptions::default().heads(Heads::Named(vec![Head::Base]))
}

#[test]
fn the_deepest_model_exports_in_every_precision() {
    // Its file is called as that of fp32.
    let is_apart = |it: &Precision| *it == Precision::Fp16Storage;
    let (apart, together): (Vec<_>, Vec<_>) = Precision::ALL.into_iter().partition(is_apart);
    for precisions in [apart, together] {
        assert_each_layer_is_alike("every precision", &base().precisions(precisions));
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
