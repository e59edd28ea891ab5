use crate::graph::{Graph, Layout, Op, Value};

/// In a table with fewer rows, the added operations cost more than the saved bytes are worth.
const SMALL_TABLE: usize = 16;

/// The two kinds of operations with a matrix of weights in single precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MatrixOp {
    /// `x·Wᵀ`, and the bias that is added; W is [outputs, inputs].
    Product {
        x: Value,
        matrix: Value,
        bias: Option<Value>,
    },
    /// The rows of a table at some indices.
    Rows { table: Value, indices: Value },
}

impl MatrixOp {
    /// The kind of `op` on these inputs, if it is one of them.
    pub(super) fn of(graph: &Graph, op: &Op, inputs: &[Value]) -> Option<Self> {
        let layout_of = |value: &Value| graph.weight(*value).map(|it| it.layout);
        match (op, inputs) {
            (Op::MatMul, [x, w]) if layout_of(w)? == Layout::Transposed => Some(Self::Product {
                x: *x,
                matrix: *w,
                bias: None,
            }),
            (Op::Gemm, [x, w, c]) if layout_of(w)? == Layout::AsStored => Some(Self::Product {
                x: *x,
                matrix: *w,
                bias: Some(*c),
            }),
            (Op::Gather { axis: 0 }, [table, indices]) if layout_of(table)? == Layout::AsStored => {
                let [rows, _] = graph.weight(*table)?.stored_matrix()?;
                (rows >= SMALL_TABLE).then_some(Self::Rows {
                    table: *table,
                    indices: *indices,
                })
            }
            _ => None,
        }
    }
}
