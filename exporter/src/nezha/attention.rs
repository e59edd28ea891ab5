//! Attention with relative positions on the key side and on the value side:
//!
//! ```text
//! q, k, v    = x·W + b, split into heads
//! score[i,j] = (q_i·k_j + q_i·T[r(i,j)]) / √D + mask[i,j]
//! p          = softmax_j(score)
//! context_i  = Σ_j p[i,j]·(v_j + T[r(i,j)])
//! ```
//!
//! Terms that are the same for all keys are taken out of the sums over keys:
//!
//! - `q_i·b_key`, with `b_key` the bias of the keys, is constant in a row of scores, so it doesn't
//!   change the softmax of the row. Keys are computed without their bias.
//! - The weights p sum to 1. So the row `T[2M]`, which [`relative`](super::relative) splits off
//!   from its sum, is added to the bias of the values.
//! - A head mask multiplies p. It is applied to the context instead, which is smaller.
//!
//! A KV cache contains keys and values as the checkpoint's model computes them, so with a cache
//! both keep their biases.

use nezha_graphs::Config;

use super::ops::{linear, product};
use super::relative::RelativePositions;
use crate::graph::{Scope, Value};

/// What is shared by the attentions of all layers.
pub(super) struct Setting<'r> {
    /// The term that is added to the scores, [batch, 1, 1 or queries, keys].
    pub mask: Value,
    /// The relative positions of queries and keys.
    pub relative: RelativePositions<'r>,
}

/// The results of attention.
pub(super) struct Attention {
    /// [batch, queries, H].
    pub context: Value,
    /// p, after the head mask, [batch, A, queries, keys].
    pub probabilities: Value,
    /// The past and present keys and values, [batch, A, keys, D]; only with a cache.
    pub present: Option<[Value; 2]>,
}

/// Attends from each of `x` [batch, queries, H] to each of `source` [batch, keys, H]. The keys and
/// values of `past` [batch, A, past keys, D] come before those of `source`. `head_mask` is [A, 1,
/// 1].
pub(super) fn attention(
    s: &Scope,
    config: &Config,
    setting: &Setting,
    x: Value,
    source: Value,
    past: Option<[Value; 2]>,
    head_mask: Option<Value>,
) -> Attention {
    let [query, key, value] = ["query", "key", "value"].map(|it| s.at(it));
    let hidden = config.hidden_size;
    let heads = |x: Value| split_heads(s, config, x);
    let masked = |x: Value| head_mask.map_or(x, |mask| s.mul(x, mask));
    let relative = &setting.relative;

    let scale = s.float(1.0 / (config.head_size() as f32).sqrt());
    let q = s.mul(heads(linear(&query, x, hidden)), scale);
    let (k, v, present) = match past {
        None => {
            let k = product(&key, source, hidden);
            // A checkpoint without it is incomplete, although its elements don't matter.
            key.weight("bias", &[hidden]);
            let v = product(&value, source, hidden);
            let bias = s.add(value.weight("bias", &[hidden]), relative.last_of_heads());
            (heads(k), heads(s.add(v, bias)), None)
        }
        Some([keys, values]) => {
            let k = s.concat(2, &[keys, heads(linear(&key, source, hidden))]);
            let v = s.concat(2, &[values, heads(linear(&value, source, hidden))]);
            (k, v, Some([k, v]))
        }
    };

    let content = s.matmul(q, s.transpose(k, &[0, 1, 3, 2]));
    let scores = relative.add_scores(s, content, q);
    let p = s.softmax(s.add(scores, setting.mask));
    let context = relative.add_context(s, s.matmul(p, v), p);
    let context = match past {
        None => context,
        Some(_) => s.add(context, relative.last()),
    };

    Attention {
        context: merge_heads(s, config, masked(context)),
        probabilities: masked(p),
        present,
    }
}

/// Reshapes [batch, sequence, H] to [batch, A, sequence, D].
fn split_heads(s: &Scope, config: &Config, x: Value) -> Value {
    let [heads, depth] = [config.num_attention_heads, config.head_size()].map(|it| it as i64);
    s.transpose(s.reshape(x, &[0, 0, heads, depth]), &[0, 2, 1, 3])
}

/// Reshapes [batch, A, sequence, D] to [batch, sequence, H].
fn merge_heads(s: &Scope, config: &Config, x: Value) -> Value {
    let hidden = config.hidden_size as i64;
    s.reshape(s.transpose(x, &[0, 2, 1, 3]), &[0, 0, hidden])
}
