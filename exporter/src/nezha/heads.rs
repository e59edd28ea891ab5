//! What stands on the encoder: the pooler and the eight heads.

use std::collections::BTreeMap;

use nezha_graphs::{Config, GraphOptions, Head, Pooling, ProblemType, Role};

use super::encoder::Tokens;
use super::inputs::Inputs;
use super::ops::{activate, layer_norm, linear};
use super::{loss, pooling};
use crate::graph::{Builder, Scope, Value};

/// What a head may read.
pub struct HeadInputs<'i> {
    /// The graph's inputs.
    pub inputs: &'i Inputs,
    /// The word embeddings, [vocab_size, H].
    pub words: Value,
    /// The output of the last layer for the [tokens read](tokens_read), [batch, sequence or 1, H].
    pub last_hidden_state: Value,
}

/// The tokens that the outputs need the last layer for: pooler and `cls` pooling read the first one.
pub fn tokens_read(head: Head, options: &GraphOptions) -> Tokens {
    let reads_first = match head {
        Head::NextSentence | Head::SequenceClassification | Head::MultipleChoice => true,
        Head::Base => options.pooling == Some(Pooling::Cls),
        _ => false,
    };
    match reads_first && !options.hidden_states && !options.attentions {
        true => Tokens::First,
        false => Tokens::All,
    }
}

/// The head's outputs by role; more than the signature asks for does no harm, since what no output
/// needs is not written.
pub fn outputs(
    builder: &Builder,
    config: &Config,
    head: Head,
    options: &GraphOptions,
    states: &HeadInputs,
) -> BTreeMap<Role, Value> {
    let mut outputs = match head {
        Head::Base => base(builder, config, options, states),
        _ => scores(builder, config, head, options, states),
    };
    let s = &builder.scope("loss");
    if let Some(loss) = loss::loss(s, config, head, options, states.inputs, &outputs) {
        outputs.insert(Role::Loss, loss);
    }
    if let Some(logits) = outputs.get(&Role::Logits).copied() {
        let s = &builder.scope("probabilities");
        let multi_label =
            options.effective_problem_type(config) == ProblemType::MultiLabelClassification;
        let probabilities = match head == Head::SequenceClassification && multi_label {
            true => s.sigmoid(logits),
            false => s.softmax(logits),
        };
        outputs.insert(Role::Probabilities, probabilities);
        if let Some(k) = options.top_k {
            let [best, ids] = s.top_k(probabilities, k);
            outputs.insert(Role::TopProbabilities, best);
            outputs.insert(Role::TopIds, ids);
        }
    }
    outputs
}

fn base(
    builder: &Builder,
    config: &Config,
    options: &GraphOptions,
    states: &HeadInputs,
) -> BTreeMap<Role, Value> {
    let x = states.last_hidden_state;
    let mut outputs = BTreeMap::from([(Role::LastHiddenState, x)]);
    if let Some(way) = options.pooling {
        let s = &builder.scope("pooling");
        let pooled = pooling::pool(s, way, x, states.inputs.attention_mask);
        let embeddings = match options.normalize {
            true => pooling::normalize(s, pooled),
            false => pooled,
        };
        outputs.insert(Role::Embeddings, embeddings);
    } else if options.pooler {
        outputs.insert(Role::PoolerOutput, pooler(builder, config, x));
    }
    outputs
}

/// The logits of every head but the base model.
fn scores(
    builder: &Builder,
    config: &Config,
    head: Head,
    options: &GraphOptions,
    states: &HeadInputs,
) -> BTreeMap<Role, Value> {
    let x = states.last_hidden_state;
    let cls = builder.scope("cls");
    let classifier = &builder.scope("classifier");
    let pooled = || pooler(builder, config, x);
    let relationship = |x| linear(&cls.at("seq_relationship"), x, 2);
    BTreeMap::from_iter(match head {
        Head::Pretraining => vec![
            (Role::PredictionLogits, predictions(&cls, config, states, x)),
            (Role::RelationshipLogits, relationship(pooled())),
        ],
        Head::MaskedLm => {
            let x = match states.inputs.get(Role::MaskPositions) {
                Some(positions) if options.mask_positions => cls.gather_nd(x, positions),
                _ => x,
            };
            vec![(Role::Logits, predictions(&cls, config, states, x))]
        }
        Head::NextSentence => vec![(Role::Logits, relationship(pooled()))],
        Head::SequenceClassification => {
            let logits = linear(classifier, pooled(), config.num_labels());
            vec![(Role::Logits, logits)]
        }
        Head::MultipleChoice => {
            let scores = linear(classifier, pooled(), 1);
            vec![(
                Role::Logits,
                split_choices(classifier, scores, states.inputs),
            )]
        }
        Head::TokenClassification => {
            vec![(Role::Logits, linear(classifier, x, config.num_labels()))]
        }
        Head::QuestionAnswering => {
            let s = &builder.scope("qa_outputs");
            let both = linear(s, x, 2);
            vec![
                (Role::StartLogits, s.gather(both, s.int64(0), 2)),
                (Role::EndLogits, s.gather(both, s.int64(1), 2)),
            ]
        }
        Head::Base => Vec::new(),
    })
}

/// `tanh(dense(x[:, 0]))`, [batch, H].
fn pooler(builder: &Builder, config: &Config, x: Value) -> Value {
    let s = &builder.scope("nezha.pooler");
    let first = s.gather(x, s.int64(0), 1);
    let dense = linear(&s.at("dense"), first, config.hidden_size);
    s.tanh(dense)
}

/// [batch·choices, 1] as [batch, choices].
fn split_choices(s: &Scope, scores: Value, inputs: &Inputs) -> Value {
    match inputs.get(Role::AttentionMask) {
        Some(mask) => s.reshape_to(scores, s.shape(mask, 0, 2)),
        None => scores,
    }
}

/// Scores of the vocabulary for `x` [batch, sequence, H] or [n, H].
fn predictions(cls: &Scope, config: &Config, states: &HeadInputs, x: Value) -> Value {
    let s = &cls.at("predictions");
    let transform = s.at("transform");
    let dense = linear(&transform.at("dense"), x, config.hidden_size);
    let active = activate(&transform, config.hidden_act, dense);
    let normed = layer_norm(&transform.at("LayerNorm"), active, config.layer_norm_eps);

    let [vocabulary, hidden] = [config.vocab_size, config.hidden_size];
    let decoder = s.at("decoder");
    let weight = match config.tie_word_embeddings {
        true => states.words,
        false => decoder.weight("weight", &[vocabulary, hidden]),
    };
    let bias = s.weight("bias", &[vocabulary]);
    // Gemm reads the matrix as the embeddings lie, so that a tied one is stored once.
    let rows = decoder.reshape(normed, &[-1, hidden as i64]);
    let scores = decoder.gemm(rows, weight, bias);
    let rank = decoder.rank(x);
    let leading = decoder.shape(x, 0, rank - 1);
    let shape = decoder.concat(0, &[leading, decoder.vector(&[vocabulary as i64])]);
    decoder.reshape_to(scores, shape)
}
