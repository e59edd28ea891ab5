use nezha_graphs::head_spec::Pool;
use nezha_graphs::{DType, Pooling};

use super::Place;
use crate::graph::Value;
use crate::nezha::pooling;

/// Pools the vectors of all tokens: [batch, sequence, width] to [batch, width].
pub(super) fn pool(place: &Place, pool: Pool, x: Value) -> Value {
    let s = &place.scope;
    let masked = |way| pooling::pool(s, way, x, place.given.inputs.attention_mask);
    match pool {
        Pool::Mean => masked(Pooling::Mean),
        Pool::MeanAll => {
            let count = s.cast(s.shape(x, 1, 2), DType::F32);
            s.div(s.squeeze(s.reduce_sum(x, 1), &[1]), count)
        }
        Pool::Max => masked(Pooling::Max),
        Pool::MaxAll => s.reduce_max(x, 1),
        Pool::Cls => masked(Pooling::Cls),
    }
}
