//! The architecture, in reading order: embeddings, relative positions, attention, encoder, heads.
//!
//! Sizes: B batch, S sequence, A attention heads, D head size, H = A·D hidden size, L layers, M
//! `max_relative_position`, R = 2M + 1 rows of the table of relative positions.

mod attention;
mod embeddings;
mod encoder;
pub(crate) mod heads;
mod inputs;
mod loss;
mod mask;
mod ops;
mod pooling;
mod relative;
mod relative_table;
mod rotary_frequencies;

pub use relative_table::relative_position_table;
pub(crate) use rotary_frequencies::rotary_frequencies;

use nezha_graphs::{
    AttentionKind, Cached, CachedPart, Config, GraphOptions, Head, OptionError, Role, Signature,
};

use attention::Attention;
use inputs::Inputs;

use crate::graph::{Builder, Graph, GraphError, Value, WeightError, Weights};
use crate::listed::Listed;

/// Why a graph can't be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The checkpoint lacks weights that the head needs.
    #[error("the {head} head can't be built: {}", Listed(faults, "; "))]
    Weights {
        /// The head.
        head: Head,
        /// The weights that the checkpoint lacks or has in another shape, in the order in which the
        /// graph reads them.
        faults: Vec<WeightError>,
    },
    /// An option that the head or the checkpoint can't have.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The graph is not valid, by a fault of the exporter; please report it.
    #[error("a fault in the exporter, in the {head} graph")]
    Graph {
        /// The head.
        head: Head,
        /// The fault.
        source: GraphError,
    },
}

/// Builds the graph of `head` over the weights of a checkpoint, which have canonical names. The
/// graph is in single precision; [`passes::prepare`](crate::passes::prepare) turns it into the
/// graph of an artifact.
///
/// # Errors
/// [`BuildError::Weights`] if weights are missing or don't have the shape that the config implies;
/// [`BuildError::Option`] if the options don't fit the head; [`BuildError::Graph`] by a fault of
/// the exporter.
pub fn build(
    weights: &dyn Weights,
    config: &Config,
    head: Head,
    options: &GraphOptions,
    opset: u32,
) -> Result<Graph, BuildError> {
    options.check(config, head)?;
    let builder = Builder::new(head.name(), opset, weights);
    compose(&builder, config, head, options);
    builder.finish().map_err(|source| match source {
        GraphError::Weights(faults) => BuildError::Weights { head, faults },
        source => BuildError::Graph { head, source },
    })
}

fn compose(builder: &Builder, config: &Config, head: Head, options: &GraphOptions) {
    let signature = Signature::new(config, head, options);
    let inputs = Inputs::declare(builder, config, head, &signature, options.mask);
    let Some(inputs) = inputs else {
        return;
    };
    let s = &builder.scope("nezha");
    let place = &s.at("embeddings");
    let words = embeddings::word_embeddings(place, config);
    let embedded = embeddings::embeddings(place, config, &inputs, words);
    let read = heads::tokens_read(head, options);
    let encoded = encoder::encoder(s, config, &inputs, embedded, read, options.gather);

    let given = heads::Given {
        builder,
        config,
        options,
        inputs: &inputs,
        words,
        last_hidden_state: encoded.hidden_states[config.num_hidden_layers],
        hidden_states: &encoded.hidden_states,
    };
    let mut outputs = heads::outputs(head, &given);
    for (i, value) in encoded.hidden_states.into_iter().enumerate() {
        outputs.insert(Role::HiddenStates(i), value);
    }
    for (i, layer) in encoded.layers.into_iter().enumerate() {
        let own = attention_outputs(builder, i, AttentionKind::Own, layer.own);
        outputs.extend(own);
        if let Some(cross) = layer.cross {
            outputs.extend(attention_outputs(builder, i, AttentionKind::Cross, cross));
        }
    }
    for port in &signature.outputs {
        builder.output(port, outputs.get(&port.role).copied());
    }
}

/// The probabilities of an attention in layer `i`, and with a cache its keys and values.
fn attention_outputs(
    builder: &Builder,
    i: usize,
    kind: AttentionKind,
    attention: Attention,
) -> Vec<(Role, Value)> {
    let cached = |part| {
        Role::Present(Cached {
            layer: i,
            attention: kind,
            part,
        })
    };
    let mut outputs = vec![(Role::Attentions(i, kind), attention.probabilities)];
    outputs.extend(
        CachedPart::ALL
            .map(cached)
            .into_iter()
            .zip(attention.present.into_iter().flatten()),
    );
    for (_, value) in &outputs {
        builder.share(*value);
    }
    outputs
}
