//! Sums, differences, products and quotients of f32, row by row.
//!
//! tract has fast kernels for them if it can prove how the two shapes broadcast. With symbolic axes
//! it can't, and calls a function through a pointer for each element, on one thread: that is a
//! fifth of a NEZHA run. It does the same for the difference of a tensor and a column in a
//! LayerNorm.

use tract_linalg::multithread::par_chunks_mut;
use tract_onnx::prelude::tract_ndarray::ArrayViewD;
use tract_onnx::tract_core::broadcast::multi_broadcast;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::binary::{BinMiniOp, OptBinByScalar, TypedBinOp};
use tract_onnx::tract_core::ops::math::{Add, Div, Mul, Sub};

/// Replaces the operations that tract would compute element by element.
pub(super) fn replace(graph: &mut TypedModel) -> TractResult<()> {
    for id in 0..graph.nodes.len() {
        let operation = Operation::of(graph.node(id).op());
        if let (Some(operation), true) = (operation, is_of_f32(graph, id)?) {
            graph.node_mut(id).op = Box::new(Elementwise(operation));
        }
    }
    Ok(())
}

/// Whether all inputs and outputs are f32.
fn is_of_f32(graph: &TypedModel, node: usize) -> TractResult<bool> {
    let (inputs, outputs) = graph.node_facts(node)?;
    let mut facts = inputs.into_iter().chain(outputs);
    Ok(facts.all(|it| it.datum_type == f32::datum_type()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Add,
    Sub,
    Mul,
    Div,
}

impl Operation {
    fn of(op: &dyn Op) -> Option<Self> {
        let general = op.downcast_ref::<TypedBinOp>().map(|it| &it.0);
        let by_column = op.downcast_ref::<OptBinByScalar>().map(|it| &it.binop);
        let op: &dyn BinMiniOp = &**general.or(by_column)?;
        [
            (op.is::<Add>(), Self::Add),
            (op.is::<Sub>(), Self::Sub),
            (op.is::<Mul>(), Self::Mul),
            (op.is::<Div>(), Self::Div),
        ]
        .into_iter()
        .find_map(|(is, operation)| is.then_some(operation))
    }
}

/// An operation of two f32 tensors of the same rank, with broadcasting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Elementwise(Operation);

impl Op for Elementwise {
    fn name(&self) -> StaticName {
        format!("{:?}", self.0).into()
    }

    op_as_typed_op!();
}

impl EvalOp for Elementwise {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (a, b) = args_2!(inputs);
        let shape = multi_broadcast(&[a.shape(), b.shape()])?;
        let commutes = matches!(self.0, Operation::Add | Operation::Mul);
        let (a, b) = match *a.shape() != *shape && commutes {
            true => (b, a),
            false => (a, b),
        };
        let mut result = match *a.shape() == *shape {
            true => a.into_tensor(),
            false => a.broadcast_to_shape(&shape)?,
        };
        let b = b.try_as_plain_ram()?;
        let view = b.to_array_view::<f32>()?;
        let b = Repeated {
            elements: b.as_slice()?,
            view: view.broadcast(&*shape).context("shapes that meet")?,
        };
        let mut a = result.try_as_plain_ram_mut()?;
        let a = a.as_slice_mut()?;
        match self.0 {
            Operation::Add => combine(a, &b, |a, b| a + b),
            Operation::Sub => combine(a, &b, |a, b| a - b),
            Operation::Mul => combine(a, &b, |a, b| a * b),
            Operation::Div => combine(a, &b, |a, b| a / b),
        }?;
        Ok(tvec!(result.into_tvalue()))
    }
}

impl TypedOp for Elementwise {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let shapes = [inputs[0].shape.to_tvec(), inputs[1].shape.to_tvec()];
        Ok(tvec!(f32::fact(&*multi_broadcast(&shapes)?)))
    }

    as_op!();
}

/// A tensor that is broadcast to a shape.
struct Repeated<'e> {
    elements: &'e [f32],
    /// The same elements as a view of that shape; its stride is 0 along each axis on which they are
    /// repeated.
    view: ArrayViewD<'e, f32>,
}

impl Repeated<'_> {
    /// Elements along the last axis; 1 if there is no axis.
    fn width(&self) -> usize {
        self.view.shape().last().map_or(1, |it| *it.max(&1))
    }

    /// Whether one element is repeated along the last axis.
    fn is_column(&self) -> bool {
        self.view.strides().last() == Some(&0)
    }

    /// The elements, starting with the one that is first in this row of the shape.
    fn beginning_at(&self, mut row: usize) -> &[f32] {
        let axes = self.view.shape().iter().zip(self.view.strides());
        let mut start = 0;
        for (size, stride) in axes.rev().skip(1) {
            start += row % size * stride.unsigned_abs();
            row /= size;
        }
        &self.elements[start..]
    }
}

/// Computes `a = f(a, b)`. It works on slices, so that the compiler can vectorize the loops.
fn combine(a: &mut [f32], b: &Repeated, f: impl Fn(f32, f32) -> f32 + Sync) -> TractResult<()> {
    let pair = |a: &mut f32, b: f32| *a = f(*a, b);
    let pairs = |a: &mut [f32], b: &[f32]| a.iter_mut().zip(b).for_each(|(a, b)| pair(a, *b));
    let (width, count) = (b.width(), a.len());
    par_chunks_mut(a, width, count, |first, rows| {
        if b.elements.len() == count {
            pairs(rows, &b.elements[first * width..]);
            return Ok(());
        }
        for (row, a) in (first..).zip(rows.chunks_exact_mut(width)) {
            match (b.beginning_at(row), b.is_column()) {
                (b, true) => a.iter_mut().for_each(|a| pair(a, b[0])),
                (b, false) => pairs(a, b),
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use tract_linalg::multithread::{Executor, multithread_tract_scope};

    use super::*;

    fn tensor(shape: &[usize], start: f32) -> TValue {
        let count = shape.iter().product::<usize>();
        let elements: Vec<f32> = (0..count).map(|i| start + i as f32 * 0.75).collect();
        Tensor::from_shape(shape, &elements).unwrap().into_tvalue()
    }

    fn tracts(operation: Operation) -> TypedBinOp {
        let op: Box<dyn BinMiniOp> = match operation {
            Operation::Add => Box::new(Add),
            Operation::Sub => Box::new(Sub),
            Operation::Mul => Box::new(Mul),
            Operation::Div => Box::new(Div),
        };
        TypedBinOp(op, None)
    }

    /// Tests all ways to broadcast, on one thread and on two, with a first operand that may be
    /// written to and with one that may not.
    #[test]
    fn elements_are_those_of_tracts_own_operators() {
        use Operation::{Add, Div, Mul, Sub};
        let shapes: [[&[usize]; 2]; 12] = [
            [&[], &[]],
            [&[5], &[1]],
            [&[2, 3, 4], &[2, 3, 4]],
            [&[2, 3, 4], &[1, 1, 4]],
            [&[2, 3, 4], &[2, 1, 4]],
            [&[2, 3, 4], &[2, 3, 1]],
            [&[2, 3, 4], &[1, 1, 1]],
            [&[2, 3, 1], &[2, 1, 4]],
            [&[2, 0, 4], &[2, 1, 4]],
            [&[3, 1, 5, 4], &[1, 2, 5, 1]],
            [&[2, 3, 128, 64], &[1, 3, 1, 64]],
            [&[2, 3, 128, 64], &[2, 3, 128, 1]],
        ];
        for operation in [Add, Sub, Mul, Div] {
            let own = tracts(operation);
            assert_eq!(Operation::of(&own), Some(operation));
            for [a, b] in shapes.into_iter().flat_map(|[a, b]| [[a, b], [b, a]]) {
                let inputs = || tvec!(tensor(a, 1.0), tensor(b, 2.5));
                let kept = inputs();
                let run = |op: &dyn EvalOp, inputs| op.eval_out_of_plan(inputs).unwrap().unwrap();
                let expected = run(&own, inputs()).remove(0);
                let single = || Executor::SingleThread;
                let runs = [(inputs(), single()), (kept.clone(), single())];
                let on_two = (inputs(), Executor::multithread(2));
                for (found, executor) in runs.into_iter().chain([on_two]) {
                    let compute = || run(&Elementwise(operation), found).remove(0);
                    let found = multithread_tract_scope(executor, compute);
                    assert_eq!(*found, *expected, "{operation:?} of {a:?} and {b:?}");
                }
                assert_eq!(
                    *kept[0],
                    *tensor(a, 1.0),
                    "{operation:?} wrote to its input"
                );
            }
        }
    }
}
