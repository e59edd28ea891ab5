use nezha_graphs::{DType, Dim};

use super::Pass;
use super::conditions::every;
use super::rewrite::{Rule, rewrite};
use crate::graph::{Element, Graph, GraphError, Node, Op, Scope, Value, ValueType, infer};

/// Constant folding: operations on shapes and positions that are known numbers become constants.
///
/// A graph with dynamic axes has few of them. If every axis is fixed, sizes are numbers, and so is
/// everything that follows from them: no Shape and no Range is left.
///
/// Precondition: none. Postcondition: no operation has a known result, except of element types in
/// which integers are not written.
#[derive(Clone, Copy, Debug)]
pub struct Fold;

impl Pass for Fold {
    fn name(&self) -> &'static str {
        "fold"
    }

    fn requires(&self, _graph: &Graph) -> Result<(), String> {
        Ok(())
    }

    fn run(&self, graph: Graph) -> Result<Graph, GraphError> {
        rewrite(graph, &mut Folded)
    }

    fn leaves(&self, graph: &Graph) -> Result<(), String> {
        every(graph, |node| {
            let known = Constant::of(graph, &node.op, &node.inputs);
            known.map(|_| "computes what is known".to_owned())
        })
    }
}

struct Folded;

impl Rule for Folded {
    fn result(&mut self, s: &Scope, node: &Node, inputs: &[Value]) -> Option<Value> {
        let Constant {
            dtype,
            shape,
            numbers,
            bytes,
        } = s.read(|graph| Constant::of(graph, &node.op, inputs))?;
        let name = s.next_name(&node.op);
        let elements = numbers.into_iter().map(Element::Number).collect();
        Some(
            s.builder
                .constant(name, dtype, &shape, bytes.into(), Some(elements)),
        )
    }
}

/// The result of an operation, if everything about it is known.
struct Constant {
    dtype: DType,
    shape: Vec<usize>,
    numbers: Vec<i64>,
    bytes: Vec<u8>,
}

impl Constant {
    fn of(graph: &Graph, op: &Op, inputs: &[Value]) -> Option<Self> {
        let types: Vec<&ValueType> = inputs.iter().map(|it| graph.value_type(*it)).collect();
        let inferred = infer::output(op, &types).ok()?;
        let numbers = fold(op, &types, &inferred)?;
        Some(Self {
            dtype: inferred.dtype,
            shape: inferred.fixed_shape()?,
            bytes: bytes(inferred.dtype, &numbers)?,
            numbers,
        })
    }
}

/// The elements of the result of `op`, if they are numbers. `inferred` is its type.
fn fold(op: &Op, inputs: &[&ValueType], inferred: &ValueType) -> Option<Vec<i64>> {
    if let Some(known) = &inferred.elements {
        return numbers(known);
    }
    match (op, inputs) {
        (Op::Range, [_, limit, _]) => match numbers(limit.elements.as_deref()?)?[..] {
            [limit] => Some((0..limit).collect()),
            _ => None,
        },
        (Op::Clip, [x, least, most]) => {
            let [x, least, most] = [x, least, most].map(|it| numbers(it.elements.as_deref()?));
            let (least, most) = (*least?.first()?, *most?.first()?);
            // ONNX's rule if the bounds cross: the upper bound wins.
            Some(x?.into_iter().map(|it| it.max(least).min(most)).collect())
        }
        (Op::Add, [a, b]) => pairwise(a, b, inferred, i64::checked_add),
        (Op::Sub, [a, b]) => pairwise(a, b, inferred, i64::checked_sub),
        (Op::Mul, [a, b]) => pairwise(a, b, inferred, i64::checked_mul),
        (Op::Equal, [a, b]) => pairwise(a, b, inferred, |a, b| Some(i64::from(a == b))),
        _ => None,
    }
}

/// Integers as bytes of `dtype`; `None` if the type can't hold them.
fn bytes(dtype: DType, numbers: &[i64]) -> Option<Vec<u8>> {
    let numbers = numbers.iter();
    match dtype {
        DType::I64 => Some(numbers.flat_map(|it| it.to_le_bytes()).collect()),
        DType::I32 => numbers
            .map(|it| i32::try_from(*it).ok())
            .collect::<Option<Vec<i32>>>()
            .map(|all| all.into_iter().flat_map(i32::to_le_bytes).collect()),
        DType::F32 => Some(numbers.flat_map(|it| (*it as f32).to_le_bytes()).collect()),
        DType::Bool => Some(numbers.map(|it| u8::from(*it != 0)).collect()),
        DType::F16 | DType::U8 | DType::I8 => None,
    }
}

fn numbers(elements: &[Element]) -> Option<Vec<i64>> {
    let number = |element: &Element| match element {
        Element::Number(number) => Some(*number),
        Element::Size(_) => None,
    };
    elements.iter().map(number).collect()
}

/// Applies `f` to two tensors of integers that broadcast to `result`.
fn pairwise(
    a: &ValueType,
    b: &ValueType,
    result: &ValueType,
    f: impl Fn(i64, i64) -> Option<i64>,
) -> Option<Vec<i64>> {
    let shape: Vec<usize> = result
        .shape
        .iter()
        .map(Dim::as_fixed)
        .collect::<Option<_>>()?;
    let [a, b] = [a, b].map(|it| Operand::new(it, &shape));
    let (a, b) = (a?, b?);
    let count = shape.iter().product::<usize>();
    let element = |at: usize| f(a.at(at, &shape)?, b.at(at, &shape)?);
    (0..count).map(element).collect()
}

/// The elements of a tensor that is broadcast to a larger shape.
struct Operand {
    elements: Vec<i64>,
    /// Stride of each axis of the larger shape, in elements; 0 if the axis is repeated.
    strides: Vec<usize>,
}

impl Operand {
    fn new(x: &ValueType, shape: &[usize]) -> Option<Self> {
        let elements = numbers(x.elements.as_deref()?)?;
        let own: Vec<usize> = x.shape.iter().map(Dim::as_fixed).collect::<Option<_>>()?;
        let mut strides = vec![0; shape.len()];
        let mut stride = 1;
        for (slot, size) in strides.iter_mut().rev().zip(own.iter().rev()) {
            *slot = if *size == 1 { 0 } else { stride };
            stride *= size;
        }
        Some(Self { elements, strides })
    }

    /// The element at the row-major index `at` of the larger shape.
    fn at(&self, at: usize, shape: &[usize]) -> Option<i64> {
        let mut rest = at;
        let mut place = 0;
        for (size, stride) in shape.iter().zip(&self.strides).rev() {
            place += rest % size * stride;
            rest /= size;
        }
        self.elements.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Content;
    use crate::passes::apply;
    use crate::passes::testing::{after, built, initializers, input};

    #[test]
    fn sizes_that_are_fixed_leave_no_operation() {
        let graph = built(|builder| {
            let x = input(builder, "x", DType::F32, "batch, 3");
            let s = builder.scope("place");
            let size = s.cast(s.squeeze(s.shape(x, 1, 2), &[0]), DType::I32);
            let places = s.range(size);
            let after = s.sub(s.unsqueeze(places, &[0]), s.unsqueeze(places, &[1]));
            s.clip(after, s.int32(0), s.int32(1))
        });
        let graph = apply(&Fold, graph).unwrap();
        assert!(graph.nodes.is_empty(), "{:?}", graph.nodes);
        let (_, y) = graph.outputs[0];
        let numbers = [0, 1, 1, 0, 0, 1, 0, 0, 0].map(i32::to_le_bytes).concat();
        let expected = Content::Inline(numbers.into());
        assert_eq!(graph.content(y), Some(&expected));
        assert_eq!(graph.value_name(y), "place/Clip");
    }

    #[test]
    fn what_comes_to_a_constant_that_is_there_is_that_constant() {
        let graph = built(|builder| {
            let x = input(builder, "x", DType::F32, "batch, 3");
            let s = builder.scope("place");
            let three = s.vector(&[3]);
            s.concat(0, &[three, s.shape(x, 1, 2), s.shape(x, 0, 1)])
        });
        let graph = apply(&Fold, graph).unwrap();
        assert_eq!(initializers(&graph), ["constants/int64s_3"]);
        assert_eq!(
            after(&Fold, graph),
            [
                "place/Shape: int64[1] = Shape(x)",
                "place/Concat: int64[3] = Concat(constants/int64s_3, constants/int64s_3, place/Shape)"
            ]
        );
    }

    #[test]
    fn what_is_known_and_computed_is_told() {
        let graph = built(|builder| {
            let x = input(builder, "x", DType::F32, "batch, 3");
            builder.scope("place").shape(x, 1, 2)
        });
        let left = Fold.leaves(&graph);
        assert_eq!(left, Err("place/Shape computes what is known".to_owned()));
    }

    fn value(shape: &[usize], numbers: &[i64]) -> ValueType {
        ValueType {
            dtype: DType::I32,
            shape: shape.iter().copied().map(Dim::from).collect(),
            elements: Some(numbers.iter().copied().map(Element::Number).collect()),
        }
    }

    fn unknown(shape: &[usize]) -> ValueType {
        ValueType {
            elements: None,
            ..value(shape, &[])
        }
    }

    #[test]
    fn a_column_and_a_row_become_a_table() {
        let (column, row) = (value(&[2, 1], &[10, 20]), value(&[1, 3], &[1, 2, 3]));
        let result = unknown(&[2, 3]);
        let folded = fold(&Op::Sub, &[&row, &column], &result);
        assert_eq!(folded, Some(vec![-9, -8, -7, -19, -18, -17]));
        let scalar = value(&[], &[2]);
        let folded = fold(&Op::Equal, &[&row, &scalar], &unknown(&[1, 3]));
        assert_eq!(folded, Some(vec![0, 1, 0]));
    }

    #[test]
    fn what_depends_on_an_input_stays() {
        let row = value(&[3], &[1, 2, 3]);
        let input = unknown(&[3]);
        assert_eq!(fold(&Op::Add, &[&row, &input], &input), None);
        let size = ValueType {
            elements: Some(vec![Element::Size(Dim::symbol("sequence_length"))]),
            ..unknown(&[])
        };
        let one = value(&[], &[1]);
        assert_eq!(fold(&Op::Add, &[&size, &one], &unknown(&[])), None);
        assert_eq!(fold(&Op::Range, &[&one, &size, &one], &input), None);
    }

    #[test]
    fn where_bounds_cross_the_upper_one_wins() {
        let [x, least, most] = [
            value(&[3], &[-5, 1, 5]),
            value(&[], &[0]),
            value(&[], &[-1]),
        ];
        let folded = fold(&Op::Clip, &[&x, &least, &most], &unknown(&[3]));
        assert_eq!(folded, Some(vec![-1, -1, -1]));
    }

    #[test]
    fn a_truth_value_cast_to_a_float_is_0_or_1() {
        let bytes = bytes(DType::F32, &[0, 1]).unwrap();
        assert_eq!(bytes, [0_f32, 1.0].map(f32::to_le_bytes).concat());
        assert_eq!(super::bytes(DType::I32, &[1 << 40]), None);
    }
}
