//! `GatherElements` of f32 along the last axis; threads share its rows.
//!
//! tract's own implementation runs on one thread, and first copies the indices to int64. Relative
//! positions gather an element for every pair of positions: at 512 tokens on two threads that took
//! a seventh of a run.

use std::slice::ChunksExact;

use tract_linalg::multithread::par_chunks_mut;
use tract_onnx::prelude::tract_ndarray::ArrayD;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::array::GatherElements;

/// Replaces tract's own implementation.
pub(super) fn replace(graph: &mut TypedModel) -> TractResult<()> {
    for id in 0..graph.nodes.len() {
        let operation = graph.node(id).op_as::<GatherElements>().cloned();
        if let (Some(operation), true) = (operation, picks_f32_by_int32(graph, id)?) {
            graph.node_mut(id).op = Box::new(GatherRows(operation));
        }
    }
    Ok(())
}

/// Whether the data is f32 and the indices are int32.
fn picks_f32_by_int32(graph: &TypedModel, node: usize) -> TractResult<bool> {
    let facts = graph.node_input_facts(node)?;
    let types = [f32::datum_type(), i32::datum_type()];
    Ok(facts.iter().map(|it| it.datum_type).eq(types))
}

/// Gathers from rows of f32 by int32 indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GatherRows(GatherElements);

impl Op for GatherRows {
    fn name(&self) -> StaticName {
        self.0.name()
    }

    op_as_typed_op!();
}

impl EvalOp for GatherRows {
    op_out_of_plan!();

    fn eval(&self, context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (data, indices) = (&inputs[0], &inputs[1]);
        let axis = self.0.axis;
        let of_same_rows =
            axis + 1 == data.rank() && data.shape()[..axis] == indices.shape()[..axis];
        let are_empty = data.len() == 0 || indices.len() == 0;
        if !of_same_rows || are_empty {
            return self.0.eval(context, inputs);
        }
        let rows = data.try_as_plain_ram()?;
        let rows = rows.as_slice::<f32>()?.chunks_exact(data.shape()[axis]);
        let picks = indices.try_as_plain_ram()?;
        let picks = gather(rows, picks.as_slice()?, indices.shape()[axis])?;
        let picks = ArrayD::from_shape_vec(indices.shape(), picks)?;
        Ok(tvec!(picks.into_tvalue()))
    }
}

/// The elements of each row that its `width` indices select.
fn gather(rows: ChunksExact<f32>, indices: &[i32], width: usize) -> TractResult<Vec<f32>> {
    let mut picks = vec![0.0; indices.len()];
    par_chunks_mut(&mut picks, width, indices.len(), |first, picks| {
        let indices = indices.chunks_exact(width).skip(first);
        let rows = rows.clone().skip(first);
        let mut all = picks.chunks_exact_mut(width).zip(indices).zip(rows);
        all.try_for_each(|((picks, indices), row)| pick(picks, indices, row))
    })?;
    Ok(picks)
}

/// Computes `picks[i] = row[indices[i]]`; negative indices count from the end.
fn pick(picks: &mut [f32], indices: &[i32], row: &[f32]) -> TractResult<()> {
    let length = row.len() as i64;
    for (pick, index) in picks.iter_mut().zip(indices) {
        let index = i64::from(*index);
        let place = if index < 0 { index + length } else { index };
        match row.get(place as usize) {
            Some(element) => *pick = *element,
            None => bail!("index {index} in a row of {length}"),
        }
    }
    Ok(())
}

impl TypedOp for GatherRows {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        self.0.output_facts(inputs)
    }

    as_op!();
}

#[cfg(test)]
mod tests {
    use tract_linalg::multithread::{Executor, multithread_tract_scope};

    use super::*;

    const WIDTH: usize = 129;

    /// Rows of `WIDTH` numbers that all differ.
    fn data(rows: &[usize]) -> TValue {
        let shape = [rows, &[WIDTH]].concat();
        let elements: Vec<f32> = (0..shape.iter().product()).map(|i| i as f32).collect();
        Tensor::from_shape(&shape, &elements).unwrap().into_tvalue()
    }

    /// Rows of `width` indices from −`WIDTH` to `WIDTH` − 1.
    fn indices(rows: &[usize], width: usize) -> TValue {
        let shape = [rows, &[width]].concat();
        let places = 0..shape.iter().product::<usize>();
        let elements: Vec<i32> = places
            .map(|i| (i * 37 % (2 * WIDTH)) as i32 - WIDTH as i32)
            .collect();
        Tensor::from_shape(&shape, &elements).unwrap().into_tvalue()
    }

    fn picked(op: &dyn EvalOp, inputs: TVec<TValue>) -> TractResult<TValue> {
        let context = "an operator without state";
        Ok(op.eval_out_of_plan(inputs)?.context(context)?.remove(0))
    }

    #[test]
    fn elements_are_those_that_tracts_own_operator_picks() {
        for (rows, of_indices, width, axis) in [
            (&[2, 3, 50][..], &[2, 3, 50][..], 200, 3),
            (&[2, 3, 50], &[2, 3, 50], 1, 3),
            (&[7], &[7], 5, 1),
            (&[], &[], 5, 0),
            (&[7], &[7], 0, 1),
            (&[7], &[4], 5, 1),
        ] {
            let inputs = || tvec!(data(rows), indices(of_indices, width));
            let own = GatherElements { axis };
            let expected = picked(&own, inputs()).unwrap();
            for executor in [Executor::SingleThread, Executor::multithread(2)] {
                let compute = || picked(&GatherRows(own.clone()), inputs()).unwrap();
                let found = multithread_tract_scope(executor, compute);
                assert_eq!(*found, *expected, "{of_indices:?} × {width} of {rows:?}");
            }
        }
    }

    #[test]
    fn an_axis_before_the_last_is_left_to_tract() {
        let indices = Tensor::from_shape(&[1, WIDTH], &[1_i32; WIDTH]).unwrap();
        let inputs = tvec!(data(&[2]), indices.into_tvalue());
        let found = picked(&GatherRows(GatherElements { axis: 0 }), inputs).unwrap();
        let second: Vec<f32> = (WIDTH..2 * WIDTH).map(|it| it as f32).collect();
        assert_eq!(
            found.try_as_plain_ram().unwrap().as_slice::<f32>().unwrap(),
            second
        );
    }

    #[test]
    fn an_index_outside_of_its_row_is_an_error() {
        for index in [WIDTH as i32, -(WIDTH as i32) - 1, i32::MAX, i32::MIN] {
            let indices = Tensor::from_shape(&[1, 2], &[0, index]).unwrap();
            let inputs = tvec!(data(&[1]), indices.into_tvalue());
            let error = picked(&GatherRows(GatherElements { axis: 1 }), inputs).unwrap_err();
            let text = format!("{error:#}");
            assert!(
                text.contains(&format!("index {index} in a row of {WIDTH}")),
                "{text}"
            );
        }
    }
}
