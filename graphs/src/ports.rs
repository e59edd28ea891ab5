//! The inputs and outputs of a graph: those of every head, and those that the options add.

use crate::heads::contract;
use crate::{
    AttentionKind, Cached, CachedPart, Config, Dim, GraphOptions, Head, MaskSource, Port, Role,
};

/// The names of the dynamic axes.
pub mod axes {
    /// Texts in a batch.
    pub const BATCH: &str = "batch_size";
    /// Tokens that each text of the batch is padded to.
    pub const SEQUENCE: &str = "sequence_length";
    /// Choices of each multiple-choice question.
    pub const CHOICES: &str = "num_choices";
    /// Tokens of the encoder that a decoder gets.
    pub const ENCODER: &str = "encoder_sequence_length";
    /// Tokens that a decoder has cached.
    pub const PAST: &str = "past_sequence_length";
    /// Tokens of the encoder that a decoder has cached.
    pub const PAST_ENCODER: &str = "past_encoder_sequence_length";
    /// Tokens that are scored.
    pub const MASK_POSITIONS: &str = "num_mask_positions";

    /// The axes that may have length 0: a decoder has no past in its first step, and no new encoder
    /// tokens in later steps.
    pub const MAY_BE_EMPTY: [&str; 3] = [ENCODER, PAST, PAST_ENCODER];
}

/// Builds the shapes of a graph's ports.
pub(crate) struct Shapes<'c> {
    pub(crate) config: &'c Config,
    pub(crate) options: &'c GraphOptions,
    head: Head,
}

impl<'c> Shapes<'c> {
    fn new(config: &'c Config, head: Head, options: &'c GraphOptions) -> Self {
        Self {
            config,
            options,
            head,
        }
    }

    /// One number for each text.
    pub(crate) fn texts(&self) -> Vec<Dim> {
        vec![Dim::symbol(axes::BATCH)]
    }

    /// `width` numbers for each text.
    pub(crate) fn texts_by(&self, width: usize) -> Vec<Dim> {
        vec![Dim::symbol(axes::BATCH), width.into()]
    }

    /// One number for each token of each text.
    pub(crate) fn tokens(&self) -> Vec<Dim> {
        [axes::BATCH, axes::SEQUENCE].map(Dim::symbol).to_vec()
    }

    /// `width` numbers for each token of each text.
    pub(crate) fn tokens_by(&self, width: usize) -> Vec<Dim> {
        [self.tokens(), vec![width.into()]].concat()
    }

    /// The shape of an input with `length` tokens in each sequence.
    fn taken(&self, length: Dim) -> Vec<Dim> {
        let batch = Dim::symbol(axes::BATCH);
        match self.head.has_choices() {
            true => vec![batch, Dim::symbol(axes::CHOICES), length],
            false => vec![batch, length],
        }
    }

    /// The number of sequences that the encoder computes.
    fn rows(&self) -> Dim {
        let batch = Dim::symbol(axes::BATCH);
        match self.head.has_choices() {
            true => batch * Dim::symbol(axes::CHOICES),
            false => batch,
        }
    }

    /// The number of keys that this attention has.
    fn keys(&self, attention: AttentionKind) -> Dim {
        let (past, new) = match attention {
            AttentionKind::Own => (axes::PAST, axes::SEQUENCE),
            AttentionKind::Cross => (axes::PAST_ENCODER, axes::ENCODER),
        };
        match self.options.kv_cache {
            true => Dim::symbol(past) + Dim::symbol(new),
            false => Dim::symbol(new),
        }
    }

    /// The kinds of attention that each layer has.
    fn attentions(&self) -> &'static [AttentionKind] {
        match self.options.cross_attention(self.config, self.head) {
            true => &[AttentionKind::Own, AttentionKind::Cross],
            false => &[AttentionKind::Own],
        }
    }
}

/// The inputs, in order.
pub(crate) fn inputs(config: &Config, head: Head, options: &GraphOptions) -> Vec<Port> {
    let shapes = &Shapes::new(config, head, options);
    let tokens = shapes.taken(Dim::symbol(axes::SEQUENCE));
    let words = match options.inputs_embeds {
        true => {
            let embedded = [tokens.as_slice(), &[config.hidden_size.into()]].concat();
            let doc = "embedded tokens, before the token types";
            Port::float(Role::EmbeddedTokens, &embedded, doc)
        }
        false => Port::int(Role::TokenIds, &tokens, "token ids from the vocabulary"),
    };
    let mut ports = vec![words];
    ports.extend(mask(shapes));
    if options.token_types {
        let doc = "0 for the first text, 1 for the second";
        ports.push(Port::int(Role::TokenTypes, &tokens, doc));
    }
    if options.head_mask {
        let shape = [config.num_hidden_layers, config.num_attention_heads].map(Dim::from);
        let doc = "what each attention head is multiplied by";
        ports.push(Port::float(Role::HeadMask, &shape, doc));
    }
    if options.mask_positions {
        let shape = [Dim::symbol(axes::MASK_POSITIONS), Dim::from(2)];
        let doc = "row and column of each token to score";
        ports.push(Port::int(Role::MaskPositions, &shape, doc));
    }
    if options.cross_attention(config, head) {
        ports.extend(encoder(shapes));
    }
    if options.kv_cache {
        let past = |attention| match attention {
            AttentionKind::Own => Dim::symbol(axes::PAST),
            AttentionKind::Cross => Dim::symbol(axes::PAST_ENCODER),
        };
        ports.extend(cache(shapes, Role::Past, past));
    }
    if options.loss {
        ports.extend(contract(head).labels(shapes));
    }
    ports
}

/// The input with the attention mask, if the graph has one.
fn mask(shapes: &Shapes<'_>) -> Option<Port> {
    let keys = shapes.keys(AttentionKind::Own);
    match shapes.options.mask {
        MaskSource::Tokens => {
            let doc = "1 for a token, 0 for padding";
            Some(Port::int(Role::AttentionMask, &shapes.taken(keys), doc))
        }
        MaskSource::Pairs => {
            let shape = [shapes.taken(Dim::symbol(axes::SEQUENCE)), vec![keys]].concat();
            let doc = "1 where the token of the row attends to the token of the column, else 0";
            Some(Port::int(Role::SelfAttentionMask, &shape, doc))
        }
        MaskSource::FromPadding => None,
    }
}

/// The outputs, in order.
pub(crate) fn outputs(config: &Config, head: Head, options: &GraphOptions) -> Vec<Port> {
    let shapes = &Shapes::new(config, head, options);
    let mut ports = Vec::new();
    if options.loss {
        let doc = "mean over the labels that are not ignored";
        ports.push(Port::float(Role::Loss, &[], doc));
    }
    ports.extend(contract(head).outputs(shapes));
    if options.hidden_states {
        ports.extend(hidden_states(shapes));
    }
    if options.attentions {
        let attentions = shapes.attentions().iter();
        ports.extend(attentions.flat_map(|it| probabilities(shapes, *it)));
    }
    if options.kv_cache {
        ports.extend(cache(shapes, Role::Present, |it| shapes.keys(it)));
    }
    ports
}

/// The hidden states and the mask of an encoder.
fn encoder(shapes: &Shapes<'_>) -> [Port; 2] {
    let [batch, tokens] = [axes::BATCH, axes::ENCODER].map(Dim::symbol);
    let states = [batch.clone(), tokens, shapes.config.hidden_size.into()];
    let mask = [batch, shapes.keys(AttentionKind::Cross)];
    let doc = "1 for a token of the encoder, 0 for padding";
    [
        Port::float(Role::EncoderStates, &states, "what the encoder gave"),
        Port::int(Role::EncoderMask, &mask, doc),
    ]
}

fn hidden_states(shapes: &Shapes<'_>) -> impl Iterator<Item = Port> {
    let hidden = shapes.config.hidden_size.into();
    let shape = [shapes.rows(), Dim::symbol(axes::SEQUENCE), hidden];
    (0..=shapes.config.num_hidden_layers).map(move |i| {
        let doc = match i {
            0 => "output of the embeddings".to_owned(),
            _ => format!("output of layer {}", i - 1),
        };
        Port::float(Role::HiddenStates(i), &shape, &doc)
    })
}

fn probabilities(
    shapes: &Shapes<'_>,
    attention: AttentionKind,
) -> impl Iterator<Item = Port> + use<> {
    let heads = shapes.config.num_attention_heads.into();
    let queries = Dim::symbol(axes::SEQUENCE);
    let shape = [shapes.rows(), heads, queries, shapes.keys(attention)];
    (0..shapes.config.num_hidden_layers).map(move |i| {
        let doc = format!("attention probabilities of layer {i}, after the head mask");
        Port::float(Role::Attentions(i, attention), &shape, &doc)
    })
}

/// Keys and values of each layer's self-attention and, if there is one, cross-attention.
fn cache(
    shapes: &Shapes<'_>,
    role: fn(Cached) -> Role,
    length: impl Fn(AttentionKind) -> Dim,
) -> Vec<Port> {
    let config = shapes.config;
    let shape = |attention| {
        let [heads, depth] = [config.num_attention_heads, config.head_size()].map(Dim::from);
        [Dim::symbol(axes::BATCH), heads, length(attention), depth]
    };
    let mut ports = Vec::new();
    for layer in 0..config.num_hidden_layers {
        for attention in shapes.attentions().iter().copied() {
            for part in CachedPart::ALL {
                let doc = match attention {
                    AttentionKind::Own => format!("{part}s of self-attention in layer {layer}"),
                    AttentionKind::Cross => format!("{part}s of cross-attention in layer {layer}"),
                };
                let cached = Cached {
                    layer,
                    attention,
                    part,
                };
                ports.push(Port::float(role(cached), &shape(attention), &doc));
            }
        }
    }
    ports
}
