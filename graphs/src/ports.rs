//! The names, dtypes and shapes of every head's inputs and outputs: the contract itself.

use crate::{Config, DType, Dim, GraphOptions, Head, Port, ProblemType};

/// The names of the dynamic axes.
pub mod axes {
    /// How many texts a batch holds.
    pub const BATCH: &str = "batch_size";
    /// How many tokens each text of the batch is padded to.
    pub const SEQUENCE: &str = "sequence_length";
    /// How many continuations each multiple-choice question has.
    pub const CHOICES: &str = "num_choices";
    /// How many tokens of the encoder a decoder is given.
    pub const ENCODER: &str = "encoder_sequence_length";
    /// How many tokens a decoder has cached.
    pub const PAST: &str = "past_sequence_length";
    /// How many tokens of the encoder a decoder has cached.
    pub const PAST_ENCODER: &str = "past_encoder_sequence_length";
    /// How many tokens are scored.
    pub const MASK_POSITIONS: &str = "num_mask_positions";

    /// The axes that may have length 0: a decoder's first step has no past, and its later steps
    /// bring nothing new from the encoder.
    pub const MAY_BE_EMPTY: [&str; 3] = [ENCODER, PAST, PAST_ENCODER];
}

/// The dynamic axes as dimensions.
struct Axes {
    batch: Dim,
    sequence: Dim,
    /// One row for each text that the encoder sees.
    rows: Dim,
    /// What self-attention attends to.
    keys: Dim,
    /// What cross-attention attends to.
    encoder_keys: Dim,
}

impl Axes {
    fn new(head: Head, options: &GraphOptions) -> Self {
        let [batch, sequence, encoder] =
            [axes::BATCH, axes::SEQUENCE, axes::ENCODER].map(Dim::symbol);
        let rows = match head {
            Head::MultipleChoice => batch.clone() * Dim::symbol(axes::CHOICES),
            _ => batch.clone(),
        };
        let (keys, encoder_keys) = match options.kv_cache {
            true => (
                Dim::symbol(axes::PAST) + sequence.clone(),
                Dim::symbol(axes::PAST_ENCODER) + encoder,
            ),
            false => (sequence.clone(), encoder),
        };
        Self {
            batch,
            sequence,
            rows,
            keys,
            encoder_keys,
        }
    }

    /// One number for each token, as the graph takes them.
    fn tokens(&self, head: Head, length: &Dim) -> Vec<Dim> {
        match head {
            Head::MultipleChoice => {
                let choices = Dim::symbol(axes::CHOICES);
                vec![self.batch.clone(), choices, length.clone()]
            }
            _ => vec![self.batch.clone(), length.clone()],
        }
    }
}

/// The inputs, in order.
pub(crate) fn inputs(config: &Config, head: Head, options: &GraphOptions) -> Vec<Port> {
    let axes = Axes::new(head, options);
    let tokens = axes.tokens(head, &axes.sequence);
    let embedded = [tokens.as_slice(), &[config.hidden_size.into()]].concat();
    let attended = axes.tokens(head, &axes.keys);
    let mut ports = vec![
        match options.inputs_embeds {
            true => float(
                "inputs_embeds",
                &embedded,
                "embedded tokens, before the token types",
            ),
            false => int("input_ids", &tokens, "token ids from the vocabulary"),
        },
        int("attention_mask", &attended, "1 for a token, 0 for padding"),
        int(
            "token_type_ids",
            &tokens,
            "0 for the first text, 1 for the second",
        ),
    ];
    if options.head_mask {
        let shape = [
            config.num_hidden_layers.into(),
            config.num_attention_heads.into(),
        ];
        ports.push(float(
            "head_mask",
            &shape,
            "what each attention head is multiplied by",
        ));
    }
    if options.mask_positions {
        let shape = [Dim::symbol(axes::MASK_POSITIONS), Dim::from(2)];
        ports.push(int(
            "mask_positions",
            &shape,
            "row and column of each token to score",
        ));
    }
    if options.cross_attention(config, head) {
        let hidden = config.hidden_size.into();
        let states = [axes.batch.clone(), Dim::symbol(axes::ENCODER), hidden];
        let mask = [axes.batch.clone(), axes.encoder_keys.clone()];
        ports.push(float(
            "encoder_hidden_states",
            &states,
            "what the encoder gave",
        ));
        let doc = "1 for a token of the encoder, 0 for padding";
        ports.push(int("encoder_attention_mask", &mask, doc));
    }
    if options.kv_cache {
        let lengths = [Dim::symbol(axes::PAST), Dim::symbol(axes::PAST_ENCODER)];
        ports.extend(cache(config, head, options, "past_key_values", &lengths));
    }
    if options.loss {
        ports.extend(labels(config, head, options, &axes));
    }
    ports
}

/// The outputs, in order.
pub(crate) fn outputs(config: &Config, head: Head, options: &GraphOptions) -> Vec<Port> {
    let axes = Axes::new(head, options);
    let mut ports = match options.loss {
        true => vec![float(
            "loss",
            &[],
            "mean over the labels that are not ignored",
        )],
        false => Vec::new(),
    };
    ports.extend(head_outputs(config, head, options, &axes));
    if options.hidden_states {
        let shape = [
            axes.rows.clone(),
            axes.sequence.clone(),
            config.hidden_size.into(),
        ];
        ports.extend((0..=config.num_hidden_layers).map(|i| {
            let doc = match i {
                0 => "output of the embeddings".to_owned(),
                _ => format!("output of layer {}", i - 1),
            };
            float(format!("hidden_states.{i}"), &shape, &doc)
        }));
    }
    if options.attentions {
        ports.extend(attentions(config, &axes, "attentions", &axes.keys));
        if options.cross_attention(config, head) {
            ports.extend(attentions(
                config,
                &axes,
                "cross_attentions",
                &axes.encoder_keys,
            ));
        }
    }
    if options.kv_cache {
        let lengths = [axes.keys, axes.encoder_keys];
        ports.extend(cache(config, head, options, "present", &lengths));
    }
    ports
}

fn head_outputs(config: &Config, head: Head, options: &GraphOptions, axes: &Axes) -> Vec<Port> {
    let tokens = |width: usize| vec![axes.batch.clone(), axes.sequence.clone(), width.into()];
    let texts = |width: usize| vec![axes.batch.clone(), width.into()];
    let vocabulary = "scores of the vocabulary, before softmax";
    let relationship = "scores of: the second text follows, it is random";
    match head {
        Head::Base => base_outputs(config, options, axes),
        Head::Pretraining => vec![
            float("prediction_logits", &tokens(config.vocab_size), vocabulary),
            float("seq_relationship_logits", &texts(2), relationship),
        ],
        Head::MaskedLm => {
            let scored = match options.mask_positions {
                true => vec![Dim::symbol(axes::MASK_POSITIONS), config.vocab_size.into()],
                false => tokens(config.vocab_size),
            };
            let mut ports = logits(options, &scored, vocabulary);
            if let Some(k) = options.top_k {
                let shape = [&scored[..scored.len() - 1], &[k.into()]].concat();
                ports.push(int(
                    "top_ids",
                    &shape,
                    "the most probable tokens, best first",
                ));
                ports.push(float("top_probabilities", &shape, "their probabilities"));
            }
            ports
        }
        Head::NextSentence => logits(options, &texts(2), relationship),
        Head::SequenceClassification => {
            logits(options, &texts(config.num_labels()), "scores of the labels")
        }
        Head::MultipleChoice => {
            let shape = [axes.batch.clone(), Dim::symbol(axes::CHOICES)];
            logits(options, &shape, "scores of the choices")
        }
        Head::TokenClassification => {
            let doc = "scores of the labels, for every token";
            logits(options, &tokens(config.num_labels()), doc)
        }
        Head::QuestionAnswering => {
            let shape = [axes.batch.clone(), axes.sequence.clone()];
            vec![
                float("start_logits", &shape, "scores of: the answer starts here"),
                float("end_logits", &shape, "scores of: the answer ends here"),
            ]
        }
    }
}

fn base_outputs(config: &Config, options: &GraphOptions, axes: &Axes) -> Vec<Port> {
    let hidden = Dim::from(config.hidden_size);
    let text = [axes.batch.clone(), hidden.clone()];
    if options.pooling.is_some() {
        return vec![float("embeddings", &text, "one vector for each text")];
    }
    let shape = [axes.batch.clone(), axes.sequence.clone(), hidden];
    let mut ports = vec![float(
        "last_hidden_state",
        &shape,
        "output of the last layer",
    )];
    if options.pooler {
        let doc = "tanh of the dense layer over the first token";
        ports.push(float("pooler_output", &text, doc));
    }
    ports
}

fn logits(options: &GraphOptions, shape: &[Dim], doc: &str) -> Vec<Port> {
    let mut ports = vec![float("logits", shape, doc)];
    if options.probabilities {
        ports.push(float("probabilities", shape, "of the logits"));
    }
    ports
}

fn labels(config: &Config, head: Head, options: &GraphOptions, axes: &Axes) -> Vec<Port> {
    let tokens = [axes.batch.clone(), axes.sequence.clone()];
    let texts = [axes.batch.clone()];
    let of_tokens = int("labels", &tokens, "label of each token; -100 is ignored");
    let of_texts = |name: &str| int(name, &texts, "label of each text; -100 is ignored");
    match head {
        Head::Base => Vec::new(),
        Head::MaskedLm | Head::TokenClassification => vec![of_tokens],
        Head::Pretraining => vec![of_tokens, of_texts("next_sentence_label")],
        Head::NextSentence | Head::MultipleChoice => vec![of_texts("labels")],
        Head::QuestionAnswering => {
            let doc = "position in the sequence; beyond it is ignored, before it counts as 0";
            ["start_positions", "end_positions"]
                .map(|name| int(name, &texts, doc))
                .to_vec()
        }
        Head::SequenceClassification => {
            let each = [axes.batch.clone(), config.num_labels().into()];
            let doc = "target of each label";
            match options.problem_type(config) {
                ProblemType::SingleLabelClassification => vec![of_texts("labels")],
                ProblemType::Regression if config.num_labels() == 1 => {
                    vec![float("labels", &texts, doc)]
                }
                ProblemType::Regression | ProblemType::MultiLabelClassification => {
                    vec![float("labels", &each, doc)]
                }
            }
        }
    }
}

fn attentions<'a>(
    config: &'a Config,
    axes: &Axes,
    name: &'a str,
    keys: &Dim,
) -> impl Iterator<Item = Port> + use<'a> {
    let heads = config.num_attention_heads.into();
    let shape = [
        axes.rows.clone(),
        heads,
        axes.sequence.clone(),
        keys.clone(),
    ];
    (0..config.num_hidden_layers).map(move |i| {
        let doc = format!("attention probabilities of layer {i}, after the head mask");
        float(format!("{name}.{i}"), &shape, &doc)
    })
}

/// Keys and values of each layer, of self-attention and where there is cross-attention of it too.
fn cache(
    config: &Config,
    head: Head,
    options: &GraphOptions,
    prefix: &str,
    [length, encoder_length]: &[Dim; 2],
) -> Vec<Port> {
    let shape = |length: &Dim| {
        let [heads, depth] = [config.num_attention_heads, config.head_size()].map(Dim::from);
        [Dim::symbol(axes::BATCH), heads, length.clone(), depth]
    };
    let mut ports = Vec::new();
    for i in 0..config.num_hidden_layers {
        for kind in ["key", "value"] {
            let doc = format!("{kind}s of self-attention in layer {i}");
            ports.push(float(format!("{prefix}.{i}.{kind}"), &shape(length), &doc));
        }
        if options.cross_attention(config, head) {
            for kind in ["key", "value"] {
                let doc = format!("{kind}s of cross-attention in layer {i}");
                let name = format!("{prefix}.{i}.encoder.{kind}");
                ports.push(float(name, &shape(encoder_length), &doc));
            }
        }
    }
    ports
}

fn float(name: impl Into<String>, shape: &[Dim], doc: &str) -> Port {
    Port::new(name, DType::F32, shape, doc)
}

fn int(name: impl Into<String>, shape: &[Dim], doc: &str) -> Port {
    Port::new(name, DType::I64, shape, doc)
}
