//! Sums, differences, products and quotients of f32, row by row.
//!
//! tract has fast kernels for them where it can prove how two shapes meet. Where axes are symbols it
//! can't, and calls a function through a pointer for each element: a fifth of a NEZHA's run.

use tract_onnx::prelude::tract_ndarray::{ArrayViewD, ArrayViewMutD, Zip};
use tract_onnx::tract_core::broadcast::multi_broadcast;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::binary::{BinMiniOp, TypedBinOp};
use tract_onnx::tract_core::ops::math::{Add, Div, Mul, Sub};

/// Takes the place of what tract would compute element by element.
pub(super) fn replace(graph: &mut TypedModel) -> TractResult<()> {
    for id in 0..graph.nodes.len() {
        let operation = graph.node(id).op_as().and_then(Operation::of);
        if let (Some(operation), true) = (operation, is_of_f32(graph, id)?) {
            graph.node_mut(id).op = Box::new(Elementwise(operation));
        }
    }
    Ok(())
}

/// Whether all inputs and outputs are.
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
    fn of(op: &TypedBinOp) -> Option<Self> {
        let op: &dyn BinMiniOp = &*op.0;
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
struct Elementwise(Operation);

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
        let b = b.to_plain_array_view::<f32>()?;
        let b = b.broadcast(&*shape).context("shapes that meet")?;
        let a = result.to_plain_array_view_mut::<f32>()?;
        match self.0 {
            Operation::Add => combine(a, b, |a, b| a + b),
            Operation::Sub => combine(a, b, |a, b| a - b),
            Operation::Mul => combine(a, b, |a, b| a * b),
            Operation::Div => combine(a, b, |a, b| a / b),
        }
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

/// `a = f(a, b)`. Slices are what the compiler makes vectors of.
fn combine(mut a: ArrayViewMutD<f32>, b: ArrayViewD<f32>, f: impl Fn(f32, f32) -> f32) {
    let pair = |a: &mut f32, b: &f32| *a = f(*a, *b);
    if let (Some(a), Some(b)) = (a.as_slice_mut(), b.as_slice()) {
        return a.iter_mut().zip(b).for_each(|(a, b)| pair(a, b));
    }
    let rows = Zip::from(a.rows_mut()).and(b.rows());
    rows.for_each(|mut a, b| match (a.as_slice_mut(), b.as_slice()) {
        (Some(a), Some(b)) => a.iter_mut().zip(b).for_each(|(a, b)| pair(a, b)),
        _ => Zip::from(a).and(b).for_each(pair),
    });
}

#[cfg(test)]
mod tests {
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

    /// However the shapes meet, and whether or not the first operand may be written to.
    #[test]
    fn elements_are_those_of_tracts_own_operators() {
        use Operation::{Add, Div, Mul, Sub};
        let shapes: [[&[usize]; 2]; 9] = [
            [&[], &[]],
            [&[5], &[1]],
            [&[2, 3, 4], &[2, 3, 4]],
            [&[2, 3, 4], &[1, 1, 4]],
            [&[2, 3, 4], &[2, 1, 4]],
            [&[2, 3, 4], &[2, 3, 1]],
            [&[2, 3, 4], &[1, 1, 1]],
            [&[2, 3, 1], &[2, 1, 4]],
            [&[2, 0, 4], &[2, 1, 4]],
        ];
        for operation in [Add, Sub, Mul, Div] {
            let own = tracts(operation);
            assert_eq!(Operation::of(&own), Some(operation));
            for [a, b] in shapes.into_iter().flat_map(|[a, b]| [[a, b], [b, a]]) {
                let inputs = || tvec!(tensor(a, 1.0), tensor(b, 2.5));
                let kept = inputs();
                let run = |op: &dyn EvalOp, inputs| op.eval_out_of_plan(inputs).unwrap().unwrap();
                let expected = run(&own, inputs()).remove(0);
                for found in [inputs(), kept.clone()] {
                    let found = run(&Elementwise(operation), found).remove(0);
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
