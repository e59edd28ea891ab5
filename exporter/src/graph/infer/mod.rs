mod axes;
mod products;
mod sequences;

use nezha_graphs::{DType, Dim};

use super::{Op, ValueType};
use axes::{reshape, slice, squeeze, transpose, unsqueeze};
use products::{gemm, matmul, matmul_integer, matmul_nbits};
use sequences::{conv, recurrent};

/// An element that is known before the graph runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    /// A number that the graph itself contains.
    Number(i64),
    /// The size of a dynamic axis.
    Size(Dim),
}

type Inferred = Result<ValueType, String>;

/// Dtype and shape of the first result of `op` on these inputs. The error says why the inputs are
/// invalid.
pub(crate) fn output(op: &Op, inputs: &[&ValueType]) -> Inferred {
    match (op, inputs) {
        (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Max, [a, b]) => arithmetic(a, b),
        (Op::Equal, [a, b]) => Ok(ValueType {
            dtype: DType::Bool,
            ..arithmetic(a, b)?
        }),
        (
            Op::Abs
            | Op::Cos
            | Op::Erf
            | Op::Exp
            | Op::Gelu { .. }
            | Op::Log
            | Op::LogSoftmax
            | Op::Neg
            | Op::Relu
            | Op::Sigmoid
            | Op::Sin
            | Op::Softmax
            | Op::Sqrt
            | Op::Tanh,
            [x],
        ) => {
            expect_float(x)?;
            Ok(plain(x.dtype, x.shape.clone()))
        }
        (Op::MeanAll | Op::SumAll, [x]) => {
            expect_float(x)?;
            Ok(plain(x.dtype, Vec::new()))
        }
        (Op::Identity, [x]) => Ok((*x).clone()),
        (Op::Cast { to }, [x]) => Ok(ValueType {
            dtype: *to,
            ..(*x).clone()
        }),
        (Op::Clip, [x, least, most]) => clip(x, least, most),
        (Op::Concat { axis }, parts) => concat(*axis, parts),
        (Op::Conv { padding, dilation }, [x, kernel, rest @ ..]) => {
            conv([*padding, *dilation], x, kernel, rest)
        }
        (Op::Expand, [x, shape]) => expand(x, shape),
        (Op::Gather { axis }, [x, indices]) => gather(*axis, x, indices),
        (Op::GatherElements { axis }, [x, indices]) => gather_elements(*axis, x, indices),
        (Op::GatherNd, [x, indices]) => gather_nd(x, indices),
        (Op::Gemm, [a, b, c]) => gemm(a, b, c),
        (Op::Gru { hidden }, [x, weights @ ..]) => recurrent(3, *hidden, x, weights),
        (Op::Lstm { hidden }, [x, weights @ ..]) => recurrent(4, *hidden, x, weights),
        (Op::LayerNormalization { .. }, [x, scale, bias]) => layer_normalization(x, scale, bias),
        (Op::MatMul, [a, b]) => matmul(a, b),
        (Op::MatMulInteger, [a, b, zero_point]) => matmul_integer(a, b, zero_point),
        (
            Op::MatMulNBits {
                blocks,
                columns,
                rows,
            },
            [a, b, scales],
        ) => matmul_nbits(*blocks, [*rows, *columns], a, b, scales),
        (Op::DequantizeLinear { axis }, [x, scale]) => dequantize_linear(*axis, x, scale),
        (Op::Range, [start, limit, step]) => range(start, limit, step),
        (Op::QuantizeLinear, [x, scale, zero_point]) => quantize_linear(x, scale, zero_point),
        (Op::ReduceMax { axis, keep }, [x] | [x, _]) => {
            expect_float(x)?;
            let mut shape = x.shape.clone();
            *at(&mut shape, *axis as i64)? = Dim::from(1);
            if !keep {
                shape.remove(*axis);
            }
            Ok(plain(x.dtype, shape))
        }
        (Op::ReduceSum, [x, axes]) => {
            let mut shape = x.shape.clone();
            for axis in numbers(axes)? {
                *at(&mut shape, axis)? = Dim::from(1);
            }
            Ok(plain(x.dtype, shape))
        }
        (Op::Reshape, [x, target]) => reshape(x, target),
        (Op::Shape { start, end }, [x]) => {
            let sizes = x.shape.get(*start..*end).ok_or("no such axes")?;
            Ok(ValueType {
                dtype: DType::I64,
                shape: vec![sizes.len().into()],
                elements: Some(sizes.iter().cloned().map(Element::from).collect()),
            })
        }
        (Op::Slice, [x, starts, ends, axes]) => slice(x, starts, ends, axes),
        (Op::Squeeze, [x, axes]) => squeeze(x, axes),
        (Op::TopK, [x, count]) => top_k(x, count),
        (Op::Transpose { perm }, [x]) => transpose(perm, x),
        (Op::Unsqueeze, [x, axes]) => unsqueeze(x, axes),
        _ => Err(format!("{} inputs", inputs.len())),
    }
}

/// The name and type of the second result of `op`, if there is one. `first` is the type of the
/// first result.
pub(super) fn second_output(op: &Op, first: &ValueType) -> Option<(&'static str, ValueType)> {
    match op {
        Op::TopK => Some(("indices", plain(DType::I64, first.shape.clone()))),
        _ => None,
    }
}

impl From<Dim> for Element {
    fn from(dim: Dim) -> Self {
        match dim.as_fixed() {
            Some(number) => Element::Number(number as i64),
            None => Element::Size(dim),
        }
    }
}

impl Element {
    /// The element as a size; `None` if it is negative.
    fn size(&self) -> Option<Dim> {
        match self {
            Element::Number(number) => usize::try_from(*number).ok().map(Dim::from),
            Element::Size(dim) => Some(dim.clone()),
        }
    }
}

fn plain(dtype: DType, shape: Vec<Dim>) -> ValueType {
    ValueType::new(dtype, shape)
}

fn product(dims: &[Dim]) -> Dim {
    dims.iter()
        .fold(Dim::from(1), |product, dim| product * dim.clone())
}

fn show(shape: &[Dim]) -> String {
    let dims: Vec<String> = shape.iter().map(Dim::to_string).collect();
    format!("[{}]", dims.join(", "))
}

fn expect_float(x: &ValueType) -> Result<(), String> {
    match x.dtype {
        DType::F32 | DType::F16 => Ok(()),
        other => Err(format!("takes floating point, not {other}")),
    }
}

fn expect_same_dtype(a: &ValueType, b: &ValueType) -> Result<(), String> {
    match a.dtype == b.dtype {
        true => Ok(()),
        false => Err(format!("{} with {}", a.dtype, b.dtype)),
    }
}

fn expect_same_rank(a: &ValueType, b: &ValueType) -> Result<(), String> {
    match a.shape.len() == b.shape.len() {
        true => Ok(()),
        false => Err(format!(
            "ranks of {} and {} differ",
            show(&a.shape),
            show(&b.shape)
        )),
    }
}

fn expect_index(x: &ValueType) -> Result<(), String> {
    match x.dtype {
        DType::I32 | DType::I64 => Ok(()),
        other => Err(format!("indices are {other}")),
    }
}

fn expect_bytes(x: &ValueType) -> Result<(), String> {
    match x.dtype {
        DType::U8 | DType::I8 => Ok(()),
        other => Err(format!("takes bytes, not {other}")),
    }
}

fn elements(x: &ValueType) -> Result<&[Element], String> {
    x.elements
        .as_deref()
        .ok_or_else(|| "depends on elements that are not known".to_owned())
}

fn numbers(x: &ValueType) -> Result<Vec<i64>, String> {
    elements(x)?
        .iter()
        .map(|it| match it {
            Element::Number(number) => Ok(*number),
            Element::Size(dim) => Err(format!("{dim} is not a constant")),
        })
        .collect()
}

fn at(shape: &mut [Dim], axis: i64) -> Result<&mut Dim, String> {
    let rank = shape.len();
    usize::try_from(axis)
        .ok()
        .and_then(|axis| shape.get_mut(axis))
        .ok_or_else(|| format!("axis {axis} of rank {rank}"))
}

fn broadcast(a: &[Dim], b: &[Dim]) -> Result<Vec<Dim>, String> {
    let rank = a.len().max(b.len());
    let one = Dim::from(1);
    let dim = |shape: &[Dim], axis: usize| match (axis + shape.len()).checked_sub(rank) {
        Some(axis) => shape[axis].clone(),
        None => one.clone(),
    };
    (0..rank)
        .map(|axis| match (dim(a, axis), dim(b, axis)) {
            (a, b) if a == b || b == one => Ok(a),
            (a, b) if a == one => Ok(b),
            _ => Err(format!("{} does not broadcast with {}", show(a), show(b))),
        })
        .collect()
}

fn arithmetic(a: &ValueType, b: &ValueType) -> Inferred {
    expect_same_dtype(a, b)?;
    Ok(plain(a.dtype, broadcast(&a.shape, &b.shape)?))
}

fn clip(x: &ValueType, least: &ValueType, most: &ValueType) -> Inferred {
    for bound in [least, most] {
        expect_same_dtype(x, bound)?;
        if !bound.shape.is_empty() {
            return Err("a bound is not of rank 0".into());
        }
    }
    Ok(plain(x.dtype, x.shape.clone()))
}

fn concat(axis: usize, parts: &[&ValueType]) -> Inferred {
    let first = *parts.first().ok_or("no inputs")?;
    if axis >= first.shape.len() {
        return Err(format!("axis {axis} of {}", show(&first.shape)));
    }
    let mut shape = first.shape.clone();
    let mut all = first.elements.clone();
    for part in &parts[1..] {
        expect_same_dtype(first, part)?;
        expect_same_rank(first, part)?;
        for (i, (sum, dim)) in shape.iter_mut().zip(&part.shape).enumerate() {
            match i == axis {
                true => *sum = sum.clone() + dim.clone(),
                false if sum == dim => (),
                false => return Err(format!("axis {i} is {sum} and {dim}")),
            }
        }
        all = all
            .zip(part.elements.clone())
            .map(|(left, right)| [left, right].concat());
    }
    Ok(ValueType {
        dtype: first.dtype,
        elements: all.filter(|_| shape.len() == 1),
        shape,
    })
}

fn expand(x: &ValueType, shape: &ValueType) -> Inferred {
    let sizes: Option<Vec<Dim>> = elements(shape)?.iter().map(Element::size).collect();
    let sizes = sizes.ok_or("a negative size")?;
    Ok(plain(x.dtype, broadcast(&x.shape, &sizes)?))
}

fn gather(axis: usize, x: &ValueType, indices: &ValueType) -> Inferred {
    expect_index(indices)?;
    if axis >= x.shape.len() {
        return Err(format!("axis {axis} of {}", show(&x.shape)));
    }
    let (before, from) = x.shape.split_at(axis);
    let shape = [before, &indices.shape, &from[1..]].concat();
    Ok(plain(x.dtype, shape))
}

fn gather_elements(axis: usize, x: &ValueType, indices: &ValueType) -> Inferred {
    expect_index(indices)?;
    expect_same_rank(x, indices)?;
    if axis >= x.shape.len() {
        return Err(format!("axis {axis} of {}", show(&x.shape)));
    }
    for (i, (dim, index)) in x.shape.iter().zip(&indices.shape).enumerate() {
        if i != axis && dim != index {
            return Err(format!("axis {i} is {dim} and {index}"));
        }
    }
    Ok(plain(x.dtype, indices.shape.clone()))
}

fn gather_nd(x: &ValueType, indices: &ValueType) -> Inferred {
    expect_index(indices)?;
    match (x.shape.as_slice(), indices.shape.as_slice()) {
        ([_, _, rest @ ..], [count, two]) if two.as_fixed() == Some(2) => {
            Ok(plain(x.dtype, [std::slice::from_ref(count), rest].concat()))
        }
        (x, indices) => Err(format!("{} at {}", show(x), show(indices))),
    }
}

fn layer_normalization(x: &ValueType, scale: &ValueType, bias: &ValueType) -> Inferred {
    expect_float(x)?;
    for vector in [scale, bias] {
        expect_same_dtype(x, vector)?;
        if !vector.shape.iter().eq(x.shape.last()) {
            return Err(format!("{} over {}", show(&vector.shape), show(&x.shape)));
        }
    }
    Ok(plain(x.dtype, x.shape.clone()))
}

fn dequantize_linear(axis: usize, x: &ValueType, scale: &ValueType) -> Inferred {
    expect_bytes(x)?;
    expect_float(scale)?;
    let size = x.shape.get(axis).ok_or("no such axis")?;
    match scale.shape.as_slice() {
        [scales] if scales == size => Ok(plain(scale.dtype, x.shape.clone())),
        scales => Err(format!(
            "scales of shape {} for an axis of {size}",
            show(scales)
        )),
    }
}

fn quantize_linear(x: &ValueType, scale: &ValueType, zero_point: &ValueType) -> Inferred {
    expect_float(x)?;
    expect_same_dtype(x, scale)?;
    expect_bytes(zero_point)?;
    Ok(plain(zero_point.dtype, x.shape.clone()))
}

fn range(start: &ValueType, limit: &ValueType, step: &ValueType) -> Inferred {
    for bound in [start, limit, step] {
        expect_same_dtype(start, bound)?;
        if !bound.shape.is_empty() {
            return Err("a bound is not of rank 0".into());
        }
    }
    match (elements(start)?, elements(limit)?, elements(step)?) {
        ([Element::Number(0)], [limit], [Element::Number(1)]) => {
            let length = limit.size().ok_or("a negative limit")?;
            Ok(plain(start.dtype, vec![length]))
        }
        _ => Err("only 0, 1, 2, … is supported".into()),
    }
}

fn top_k(x: &ValueType, count: &ValueType) -> Inferred {
    let [count] = numbers(count)?[..] else {
        return Err("one count is needed".into());
    };
    let mut shape = x.shape.clone();
    let last = shape.last_mut().ok_or("a value of rank 0")?;
    *last = usize::try_from(count)
        .map_err(|_| "a negative count")?
        .into();
    Ok(plain(x.dtype, shape))
}
