//! Half precision on disk: each weight is widened where it is read.

use nezha_graphs::DType;

use super::{half, single};
use crate::graph::{Op, Scope, Value};

pub(super) fn lower(s: &Scope, op: &Op, inputs: &[Value]) -> Option<Value> {
    let is_weight = |value: &Value| s.builder.weight_of(*value).is_some();
    match (op, inputs) {
        // The rows that are picked are fewer than the table has.
        (Op::Gather { axis }, [table, indices]) if is_weight(table) => {
            let picked = s.gather(half(s, *table), *indices, *axis);
            Some(s.cast(picked, DType::F32))
        }
        _ if inputs.iter().any(is_weight) => {
            let widened = |value: &Value| match is_weight(value) {
                true => single(s, *value),
                false => *value,
            };
            let inputs: Vec<Value> = inputs.iter().map(widened).collect();
            Some(s.node(op.clone(), &inputs))
        }
        _ => None,
    }
}
