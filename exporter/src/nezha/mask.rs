//! Which keys a query attends to, as a term of its scores: 0 if it does, the least float if not.
//!
//! A score plus the least float is exactly the least float. So a query that attends to no key
//! attends evenly to all of them, as in transformers.

use nezha_graphs::{Config, DType};

use super::relative::Places;
use crate::graph::{Scope, Value};

/// Every query attends to the keys whose `mask` is 1; int64 [batch, keys] to [batch, 1, 1, keys].
pub(super) fn padding(s: &Scope, mask: Value) -> Value {
    s.unsqueeze(additive(s, s.cast(mask, DType::F32)), &[1, 2])
}

/// Every query attends to the keys for which its row of `mask` is 1; int64 [batch, queries, keys]
/// to [batch, 1, queries, keys].
pub(super) fn pairs(s: &Scope, mask: Value) -> Value {
    s.unsqueeze(additive(s, s.cast(mask, DType::F32)), &[1])
}

/// 1 for each of `ids` [rows, sequence] that is not padding, else 0; int64 of the same shape.
pub(super) fn from_padding(s: &Scope, config: &Config, ids: Value) -> Value {
    let padding = s.equal(ids, s.int64(config.pad_token_id as i64));
    s.sub(s.int64(1), s.cast(padding, DType::I64))
}

/// Every query attends to the keys up to its own position whose `mask` is 1; the result is [batch,
/// 1, queries, keys].
///
/// The masks are multiplied before they become terms, because the sum of two terms would be −∞.
pub(super) fn causal(s: &Scope, mask: Value, places: &Places) -> Value {
    // 1 for a key after its query, else 0. A comparison would be clearer, but tract loses the shape
    // of one that broadcasts.
    let after = s.clip(s.sub(places.key, places.query), s.int32(0), s.int32(1));
    let before = s.sub(s.float(1.0), s.cast(after, DType::F32));
    let seen = s.unsqueeze(s.cast(mask, DType::F32), &[1]);
    s.unsqueeze(additive(s, s.mul(seen, before)), &[1])
}

/// `(1 − seen)·min(f32)`.
fn additive(s: &Scope, seen: Value) -> Value {
    s.mul(s.sub(s.float(1.0), seen), s.float(f32::MIN))
}
