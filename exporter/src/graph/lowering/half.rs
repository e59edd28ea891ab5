//! Half precision: products of matrices, LayerNorm and activations in half; in single what sums up
//! many terms or stands beside a mask, whose least float is −∞ in half.
//!
//! LayerNorm takes its mean and variance in single by definition (ONNX's `stash_type`).

use nezha_graphs::DType;

use super::{half, single};
use crate::graph::{Op, Scope, Value};

pub(super) fn lower(s: &Scope, op: &Op, inputs: &[Value]) -> Option<Value> {
    if let (Op::Gemm, [x, matrix, bias]) = (op, inputs) {
        // tract gives a Gemm of halves in single precision.
        let columns = s.transpose(half(s, *matrix), &[1, 0]);
        return Some(s.add(s.matmul(*x, columns), *bias));
    }
    let is_floating = |value: &Value| s.dtype(*value) != DType::I64;
    let convert: fn(&Scope, Value) -> Value = match op {
        Op::MatMul | Op::LayerNormalization { .. } => half,
        Op::Softmax
        | Op::LogSoftmax
        | Op::Exp
        | Op::Log
        | Op::Sqrt
        | Op::ReduceMax { .. }
        | Op::ReduceSum
        | Op::MeanAll
        | Op::SumAll => single,
        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Max | Op::Concat { .. } => common(s, inputs),
        Op::Gather { .. } if s.builder.weight_of(inputs[0]).is_some() => half,
        _ => return None,
    };
    let converted: Vec<Value> = inputs
        .iter()
        .map(|value| match is_floating(value) {
            true => convert(s, *value),
            false => *value,
        })
        .collect();
    (converted != inputs).then(|| s.node(op.clone(), &converted))
}

/// What the inputs of an element-wise operation meet in: half if all are that are not free to be
/// either, as single numbers are and what follows from weights alone.
fn common(s: &Scope, inputs: &[Value]) -> fn(&Scope, Value) -> Value {
    let is_free =
        |value: &Value| s.value_type(*value).shape.is_empty() || s.builder.is_constant(*value);
    let has = |dtype| {
        let fixed = inputs.iter().filter(|it| !is_free(it));
        fixed.into_iter().any(|it| s.dtype(*it) == dtype)
    };
    match (has(DType::F32), has(DType::F16)) {
        (false, true) => half,
        // What is computed once too, from weights that are stored in half.
        _ => single,
    }
}
