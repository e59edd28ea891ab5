//! The architecture, in reading order: embeddings, relative positions, attention, encoder, heads.
//!
//! B batch, S sequence, A attention heads, D head size, H = A·D hidden size, L layers,
//! M `max_relative_position`, R = 2M + 1 rows of the table of relative positions.

mod attention;
mod embeddings;
mod encoder;
mod heads;
mod inputs;
mod loss;
mod mask;
mod ops;
mod pooling;
mod relative;
mod relative_table;

pub use relative_table::relative_position_table;

use nezha_graphs::{Config, GraphOptions, Head, OptionError, Precision, Signature};

use inputs::Inputs;

use crate::graph::{Builder, Graph, GraphError, Value, WeightError, Weights};
use crate::listed::Listed;

/// Why a graph can't be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The checkpoint lacks what the head needs.
    #[error("the {head} head can't be built: {}", Listed(faults, "; "))]
    Weights {
        /// The head.
        head: Head,
        /// Every weight that the checkpoint lacks or has in another shape, in the order in which the
        /// graph reads them.
        faults: Vec<WeightError>,
    },
    /// An option that the head or the checkpoint can't have.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The architecture contradicts itself; please report it.
    #[error("a fault in the exporter, in the {head} graph")]
    Graph {
        /// The head.
        head: Head,
        /// What does not hold together.
        source: GraphError,
    },
}

/// Builds the graph of `head` over the weights of a checkpoint, in canonical names.
///
/// # Errors
/// [`BuildError::Weights`] where weights are missing or do not have the shape that the config
/// gives them; [`BuildError::Option`] where the options don't fit the head.
pub fn build(
    weights: &dyn Weights,
    config: &Config,
    head: Head,
    options: &GraphOptions,
    opset: u32,
    precision: Precision,
) -> Result<Graph, BuildError> {
    options.check(config, head)?;
    let builder = Builder::new(head.name(), opset, weights).with_precision(precision);
    compose(&builder, config, head, options);
    builder.finish().map_err(|source| match source {
        GraphError::Weights(faults) => BuildError::Weights { head, faults },
        source => BuildError::Graph { head, source },
    })
}

fn compose(builder: &Builder, config: &Config, head: Head, options: &GraphOptions) {
    let signature = Signature::new(config, head, options);
    let Some(inputs) = Inputs::declare(builder, head, &signature) else {
        return;
    };
    let s = &builder.scope("nezha");
    let place = &s.at("embeddings");
    let words = embeddings::word_embeddings(place, config);
    let embedded = embeddings::embeddings(place, config, &inputs, words);
    let read = heads::tokens_read(head, options);
    let encoded = encoder::encoder(s, config, &inputs, embedded, read);

    let states = heads::HeadInputs {
        inputs: &inputs,
        words,
        last_hidden_state: encoded.hidden_states[config.num_hidden_layers],
    };
    let mut outputs = heads::outputs(builder, config, head, options, &states);
    for (i, value) in encoded.hidden_states.into_iter().enumerate() {
        outputs.insert(format!("hidden_states.{i}"), value);
    }
    for (i, layer) in encoded.layers.into_iter().enumerate() {
        builder.share(layer.own.probabilities);
        outputs.insert(format!("attentions.{i}"), layer.own.probabilities);
        let mut keep = |name: String, present: Option<[Value; 2]>| {
            if let Some([key, value]) = present {
                builder.share(key);
                builder.share(value);
                outputs.insert(format!("{name}.key"), key);
                outputs.insert(format!("{name}.value"), value);
            }
        };
        keep(format!("present.{i}"), layer.own.present);
        if let Some(cross) = layer.cross {
            keep(format!("present.{i}.encoder"), cross.present);
            builder.share(cross.probabilities);
            outputs.insert(format!("cross_attentions.{i}"), cross.probabilities);
        }
    }
    for port in &signature.outputs {
        builder.output(port, outputs.get(&port.name).copied());
    }
}
