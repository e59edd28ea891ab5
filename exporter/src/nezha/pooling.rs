//! Pooling inside of the graph: one vector for each text.

use nezha_graphs::{DType, Pooling};

use crate::graph::{Scope, Value};

/// Pools `x` [batch, sequence, H] over the tokens whose `attention_mask` is 1; the result is
/// [batch, H].
pub(super) fn pool(s: &Scope, pooling: Pooling, x: Value, attention_mask: Value) -> Value {
    let mask = || s.unsqueeze(s.cast(attention_mask, DType::F32), &[2]);
    match pooling {
        Pooling::Cls => s.gather(x, s.int64(0), 1),
        Pooling::Mean => {
            let mask = mask();
            let sum = s.reduce_sum(s.mul(x, mask), 1);
            // A text without any token gives zeros instead of a division by zero.
            let count = s.max(s.reduce_sum(mask, 1), s.float(1e-9));
            s.squeeze(s.div(sum, count), &[1])
        }
        Pooling::Max => {
            let hidden = s.mul(s.sub(mask(), s.float(1.0)), s.float(1e9));
            s.reduce_max(s.add(x, hidden), 1)
        }
    }
}

/// `x / ‖x‖₂`, [batch, H].
pub(super) fn normalize(s: &Scope, x: Value) -> Value {
    let norm = s.sqrt(s.reduce_sum(s.mul(x, x), 1));
    s.div(x, s.max(norm, s.float(1e-12)))
}
