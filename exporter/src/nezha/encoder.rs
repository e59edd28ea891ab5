//! A layer consists of attention and a feed-forward block. The output of each is added to its input
//! and normalized. With cross-attention, a decoder attends to the encoder in between:
//!
//! ```text
//! x = LayerNorm(x + dense(attention(x, x)))
//! x = LayerNorm(x + dense(attention(x, encoder)))
//! x = LayerNorm(x + dense(act(dense(x))))
//! ```

use nezha_graphs::{AttentionKind, Config, Gather};

use super::attention::{Attention, Setting, attention};
use super::inputs::Inputs;
use super::mask;
use super::ops::{activate, layer_norm, linear};
use super::relative::{Places, RelativePositions, RelativeTable};
use crate::graph::{Scope, Value};

/// The results of the layers.
pub(super) struct Encoded {
    /// The embeddings, then the output of each layer, [batch, sequence, H].
    pub hidden_states: Vec<Value>,
    /// The attentions of each layer.
    pub layers: Vec<LayerAttentions>,
}

/// The attentions of one layer.
pub(super) struct LayerAttentions {
    /// Self-attention.
    pub own: Attention,
    /// Cross-attention, if the model has it.
    pub cross: Option<Attention>,
}

/// What is shared by all layers.
struct Shared<'t> {
    own: Setting<'t>,
    cross: Option<(Setting<'t>, Value)>,
}

/// The tokens whose last hidden state is read by the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tokens {
    /// All tokens.
    All,
    /// The first token. Then the last layer is computed for this token only, since no other layer
    /// reads it.
    First,
}

/// Runs all layers over `x` [batch, sequence, H].
pub(super) fn encoder(
    s: &Scope,
    config: &Config,
    inputs: &Inputs,
    x: Value,
    read: Tokens,
    gather: Gather,
) -> Encoded {
    let table = RelativeTable::new(&s.at("relative_positions_encoding"), config, gather);
    let shared = Shared::new(s, config, inputs, &table, Tokens::All);
    let of_first = || Shared::new(s, config, inputs, &table, Tokens::First);
    let of_first = (read == Tokens::First).then(of_first);
    let mut encoded = Encoded {
        hidden_states: vec![x],
        layers: Vec::new(),
    };
    let mut x = x;
    let last = config.num_hidden_layers - 1;
    for i in 0..=last {
        let s = &s.at("encoder.layer").at(i);
        let (shared, queries) = match &of_first {
            Some(shared) if i == last => {
                let place = s.at("attention.self");
                (shared, place.gather(x, place.vector(&[0]), 1))
            }
            _ => (&shared, x),
        };
        let attentions;
        (x, attentions) = layer(s, config, inputs, shared, i, queries, x);
        encoded.hidden_states.push(x);
        encoded.layers.push(attentions);
    }
    encoded
}

impl<'t> Shared<'t> {
    fn new(
        s: &Scope,
        config: &Config,
        inputs: &Inputs,
        table: &'t RelativeTable,
        queries: Tokens,
    ) -> Self {
        let relative = &s.at("relative_positions_encoding");
        let [batch, tokens] = [0, 1].map(|axis| relative.shape(inputs.tokens, axis, axis + 1));
        let past = inputs.past_length(relative);
        let rank = relative.rank(inputs.attention_mask);
        let keys = match past {
            Some(_) => relative.shape(inputs.attention_mask, rank - 1, rank),
            None => tokens,
        };
        let places = |s: &Scope, keys| {
            let all = Places::new(s, batch, tokens, keys, past);
            match queries {
                Tokens::All => all,
                Tokens::First => all.of_first_query(s),
            }
        };
        let own_places = places(relative, keys);
        let masks = &s.at("attention_mask");
        let own = Setting {
            mask: match (rank, queries) {
                (3, Tokens::All) => mask::pairs(masks, inputs.attention_mask),
                (3, Tokens::First) => {
                    let first = masks.gather(inputs.attention_mask, masks.vector(&[0]), 1);
                    mask::pairs(masks, first)
                }
                _ if config.is_decoder => mask::causal(masks, inputs.attention_mask, &own_places),
                _ => mask::padding(masks, inputs.attention_mask),
            },
            relative: RelativePositions::new(relative, config, table, &own_places),
        };
        let cross = inputs.encoder.as_ref().map(|encoder| {
            let relative = &s.at("cross_relative_positions_encoding");
            let keys = relative.shape(encoder.attention_mask, 1, 2);
            let places = places(relative, keys);
            let masks = &s.at("encoder_attention_mask");
            let setting = Setting {
                mask: mask::padding(masks, encoder.attention_mask),
                relative: RelativePositions::new(relative, config, table, &places),
            };
            (setting, encoder.hidden_states)
        });
        Self { own, cross }
    }
}

/// Layer `i` for the tokens `x`. They attend to `source`, all tokens as the layer before returns
/// them.
fn layer(
    s: &Scope,
    config: &Config,
    inputs: &Inputs,
    shared: &Shared,
    i: usize,
    x: Value,
    source: Value,
) -> (Value, LayerAttentions) {
    let head_mask = inputs.head_mask_of_layer(s, i);
    let place = &s.at("attention");
    let past = inputs.past_of_layer(i, AttentionKind::Own);
    let own = attention(
        &place.at("self"),
        config,
        &shared.own,
        x,
        source,
        past,
        head_mask,
    );
    let mut x = add_and_norm(&place.at("output"), config, x, own.context);

    let mut cross = None;
    if let Some((setting, states)) = &shared.cross {
        let place = &s.at("crossattention");
        let past = inputs.past_of_layer(i, AttentionKind::Cross);
        let to = attention(
            &place.at("self"),
            config,
            setting,
            x,
            *states,
            past,
            head_mask,
        );
        x = add_and_norm(&place.at("output"), config, x, to.context);
        cross = Some(to);
    }

    let intermediate = s.at("intermediate");
    let wide = linear(&intermediate.at("dense"), x, config.intermediate_size);
    let wide = activate(&intermediate, config.hidden_act, wide);
    let x = add_and_norm(&s.at("output"), config, x, wide);
    (x, LayerAttentions { own, cross })
}

/// `LayerNorm(x + dense(y))`.
fn add_and_norm(s: &Scope, config: &Config, x: Value, y: Value) -> Value {
    let dense = linear(&s.at("dense"), y, config.hidden_size);
    layer_norm(&s.at("LayerNorm"), s.add(dense, x), config.layer_norm_eps)
}
