//! Attention with relative positions on the key side and on the value side:
//!
//! ```text
//! q, k, v    = x·W + b, split into heads
//! score[i,j] = (q_i·k_j + q_i·T[r(i,j)]) / √D + mask[i,j]
//! p          = softmax_j(score)
//! context_i  = Σ_j p[i,j]·(v_j + T[r(i,j)])
//! ```
//!
//! A head mask multiplies p. It is the same for all keys, so it multiplies the context instead,
//! which is smaller; the constant term of the relative context comes out right that way too.

use nezha_graphs::Config;

use super::ops::linear;
use super::relative::RelativePositions;
use crate::graph::{Scope, Value, WeightError};

/// What the layers' attentions share.
pub struct Setting<'r> {
    /// Added to the scores, [batch, 1, 1 or queries, keys].
    pub mask: Value,
    /// The relative positions of queries and keys.
    pub relative: RelativePositions<'r>,
}

/// What attention gives.
pub struct Attention {
    /// [batch, queries, H].
    pub context: Value,
    /// p, after the head mask, [batch, A, queries, keys].
    pub probabilities: Value,
    /// Keys and values of the past and of now, [batch, A, keys, D]; under a cache.
    pub present: Option<[Value; 2]>,
}

/// Attends from each of `x` [batch, queries, H] to each of `source` [batch, keys, H], after the keys
/// and values of `past` [batch, A, past keys, D]; `head_mask` is [A, 1, 1].
pub fn attention(
    s: &Scope,
    config: &Config,
    setting: &Setting,
    x: Value,
    source: Value,
    past: Option<[Value; 2]>,
    head_mask: Option<Value>,
) -> Result<Attention, WeightError> {
    let project = |name: &str, x: Value| linear(&s.at(name), x, config.hidden_size);
    let heads = |x: Value| split_heads(s, config, x);
    let masked = |x: Value| head_mask.map_or(x, |mask| s.mul(x, mask));

    let scale = s.float(1.0 / (config.head_size() as f32).sqrt());
    let q = s.mul(heads(project("query", x)?), scale);
    let k = heads(project("key", source)?);
    let v = heads(project("value", source)?);
    let present = past.map(|[keys, values]| [s.concat(2, &[keys, k]), s.concat(2, &[values, v])]);
    let [k, v] = present.unwrap_or([k, v]);

    let content = s.matmul(q, s.transpose(k, &[0, 1, 3, 2]));
    let scores = s.add(content, setting.relative.scores(s, q));
    let p = s.softmax(s.add(scores, setting.mask));
    let context = s.add(s.matmul(p, v), setting.relative.context(s, p));

    Ok(Attention {
        context: merge_heads(s, config, masked(context)),
        probabilities: masked(p),
        present,
    })
}

/// [batch, sequence, H] as [batch, A, sequence, D].
fn split_heads(s: &Scope, config: &Config, x: Value) -> Value {
    let [heads, depth] = [config.num_attention_heads, config.head_size()].map(|it| it as i64);
    s.transpose(s.reshape(x, &[0, 0, heads, depth]), &[0, 2, 1, 3])
}

/// [batch, A, sequence, D] as [batch, sequence, H].
fn merge_heads(s: &Scope, config: &Config, x: Value) -> Value {
    let hidden = config.hidden_size as i64;
    s.reshape(s.transpose(x, &[0, 2, 1, 3]), &[0, 0, hidden])
}
