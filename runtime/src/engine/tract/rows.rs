//! Embedding lookup in a table that isn't copied.
//!
//! tract copies every weight. The word embeddings are a sixth of a base-size model and most of a
//! small one, and a run reads one row of them for each token.

use std::any::Any;
use std::{fmt, ptr};

use bytes::Bytes;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::cast::cast;
use tract_onnx::tract_hir::infer::{InferenceResult, Solver, TensorProxy};
use tract_onnx::tract_hir::ops::array::Gather;
use tract_onnx::tract_hir::ops::expandable::{Expansion, expand};

/// A table of numbers, little-endian and row-major.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) dtype: DatumType,
    pub(super) rows: usize,
    /// Numbers in each row.
    pub(super) width: usize,
    pub(super) bytes: Bytes,
}

impl Table {
    /// The row at an index; negative indices count from the end.
    fn row(&self, index: i64) -> TractResult<&[u8]> {
        let rows = self.rows as i64;
        let place = if index < 0 { index + rows } else { index };
        let length = self.width * self.dtype.size_of();
        match (0..rows).contains(&place) {
            true => Ok(&self.bytes[place as usize * length..][..length]),
            false => bail!("index {index} in a table of {rows} rows"),
        }
    }
}

/// Replaces the nodes that gather rows of the tensor at `outlet` by lookups in `table`. Does
/// nothing and returns `false` if anything else reads that tensor.
pub(super) fn replace(
    graph: &mut InferenceModel,
    outlet: OutletId,
    table: &Table,
) -> TractResult<bool> {
    let readers = graph.outlet_successors(outlet).to_vec();
    let is_output = graph.output_outlets()?.contains(&outlet);
    if is_output || !readers.iter().all(|it| picks_rows(graph, *it)) {
        return Ok(false);
    }
    for InletId { node, .. } in readers {
        let indices = graph.node(node).inputs[1];
        for input in graph.node(node).inputs.clone() {
            let fact = &mut graph.node_mut(input.node).outputs[input.slot];
            fact.successors.retain(|it| it.node != node);
        }
        graph.node_mut(node).inputs.clear();
        graph.add_edge(indices, InletId::new(node, 0))?;
        graph.node_mut(node).op = expand(Lookup(table.clone()));
    }
    Ok(true)
}

/// Whether a node gathers along the first axis of this input.
fn picks_rows(graph: &InferenceModel, reader: InletId) -> bool {
    let op = graph.node(reader.node).op_as::<Box<dyn Expansion>>();
    let any = op.map(|it| -> &dyn Any { &**it });
    let gather = any.and_then(|it| it.downcast_ref::<Gather>());
    reader.slot == 0 && gather.is_some_and(|it| it.to_type_op(2).axis == 0)
}

/// The lookup, before types and shapes are known.
#[derive(Clone, Debug)]
struct Lookup(Table);

impl Expansion for Lookup {
    fn name(&self) -> StaticName {
        Rows(self.0.clone()).name()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        let width = self.0.width;
        solver.equals(&outputs[0].datum_type, self.0.dtype)?;
        solver.given(&inputs[0].shape, move |solver, mut shape| {
            shape.push(width.to_dim());
            solver.equals(&outputs[0].shape, shape)
        })
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let indices =
            model.wire_node(format!("{prefix}.indices"), cast(i64::datum_type()), inputs)?;
        model.wire_node(prefix, Rows(self.0.clone()), &indices)
    }
}

/// Gathers rows of a table by int64 indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rows(Table);

impl Op for Rows {
    fn name(&self) -> StaticName {
        "Rows".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Rows {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let Self(table) = self;
        let indices = inputs[0].try_as_plain_ram()?;
        let shape = [inputs[0].shape(), &[table.width]].concat();
        let mut picked = Tensor::zero_dt(table.dtype, &shape)?;
        let length = (table.width * table.dtype.size_of()).max(1);
        let rows = picked.as_bytes_mut().chunks_exact_mut(length);
        for (row, index) in rows.zip(indices.as_slice::<i64>()?) {
            row.copy_from_slice(table.row(*index)?);
        }
        Ok(tvec!(picked.into_tvalue()))
    }
}

impl TypedOp for Rows {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let mut shape = inputs[0].shape.to_tvec();
        shape.push(self.0.width.to_dim());
        Ok(tvec!(self.0.dtype.fact(&*shape)))
    }

    as_op!();
}

/// Tables are equal if they are in the same place.
impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        let place = ptr::eq(&raw const self.bytes[..], &raw const other.bytes[..]);
        place && (self.dtype, self.width) == (other.dtype, other.width)
    }
}

impl Eq for Table {}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {} of {:?}", self.rows, self.width, self.dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tract::{graph, sample};
    use crate::{Artifact, Model};

    fn table() -> Table {
        Table {
            dtype: f32::datum_type(),
            rows: sample::ROWS,
            width: sample::WIDTH,
            bytes: sample::numbers(sample::ROWS)
                .flat_map(f32::to_le_bytes)
                .collect(),
        }
    }

    fn picked(indices: &[i64]) -> TractResult<TVec<TValue>> {
        let indices = Tensor::from_shape(&[indices.len(), 1], indices)?;
        let rows = Rows(table()).eval_out_of_plan(tvec!(indices.into_tvalue()))?;
        rows.context("an operator without state")
    }

    #[test]
    fn rows_are_those_that_tracts_own_operator_picks() {
        let elements: Vec<f32> = sample::numbers(sample::ROWS).collect();
        let data = Tensor::from_shape(&[sample::ROWS, sample::WIDTH], &elements).unwrap();
        let indices = [0, 299, 17, 17, -1, -300];
        let inputs = Tensor::from_shape(&[indices.len(), 1], &indices).unwrap();
        let own = tract_onnx::tract_core::ops::array::Gather::new(0);
        let own = own.eval_out_of_plan(tvec!(data.into_tvalue(), inputs.into_tvalue()));
        assert_eq!(
            *picked(&indices).unwrap()[0],
            *own.unwrap().unwrap()[0],
            "{indices:?}"
        );
        assert_eq!(picked(&[]).unwrap()[0].shape(), [0, 1, sample::WIDTH]);
    }

    #[test]
    fn an_index_outside_of_the_table_is_an_error() {
        for index in [300, -301, i64::MAX, i64::MIN] {
            let error = format!("{:#}", picked(&[index]).unwrap_err());
            assert_eq!(error, format!("index {index} in a table of 300 rows"));
        }
    }

    #[test]
    fn a_table_stays_where_it_lies_unless_that_would_keep_a_buffer_alive() {
        let has_rows = |model: &Model| {
            let (graph, _) = graph(model).unwrap();
            graph.nodes.iter().any(|it| it.op_is::<Rows>())
        };
        let bytes = sample::lookup_and_product();
        let own = Model::from_bytes(bytes.clone()).unwrap();
        assert!(!has_rows(&own), "a buffer of the model's own");
        let lasting: &'static [u8] = bytes.leak();
        let part_of_program = Model::from_bytes(lasting).unwrap();
        assert!(has_rows(&part_of_program), "a static slice");
        let mut packed = Vec::new();
        let artifact = Artifact::from_parts([("model.onnx", lasting)]).unwrap();
        artifact.pack(&mut packed).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (name, file) in [("model.onnx", lasting), ("model.nezha", &packed)] {
            let path = folder.path().join(name);
            nezha_graphs::files::write_file(&path, file).unwrap();
            assert!(has_rows(&Model::open(&path).unwrap()), "{name}, mapped");
        }
    }

    #[test]
    fn a_table_that_something_else_reads_is_a_tensor_of_tracts() {
        let model = Model::from_bytes(sample::tied()).unwrap();
        let mut graph = super::super::reading::read(&model).unwrap();
        let outlet = graph.node_by_name("table").unwrap().id.into();
        assert!(!replace(&mut graph, outlet, &table()).unwrap());
    }
}
