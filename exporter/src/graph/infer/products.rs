//! Matrix products.

use nezha_graphs::{DType, Dim};

use super::{Inferred, broadcast, expect_bytes, expect_float, expect_same_dtype, plain, show};
use crate::graph::{Blocks, ValueType};

pub(super) fn gemm(a: &ValueType, b: &ValueType, c: &ValueType) -> Inferred {
    expect_float(a)?;
    expect_same_dtype(a, b)?;
    expect_same_dtype(a, c)?;
    match (a.shape.as_slice(), b.shape.as_slice()) {
        ([rows, inner], [columns, same]) if inner == same => {
            let shape = vec![rows.clone(), columns.clone()];
            broadcast(&shape, &c.shape)?;
            Ok(plain(a.dtype, shape))
        }
        (a, b) => Err(format!("{} times the transpose of {}", show(a), show(b))),
    }
}

pub(super) fn matmul(a: &ValueType, b: &ValueType) -> Inferred {
    expect_same_dtype(a, b)?;
    Ok(plain(a.dtype, shape_of_product(a, b)?))
}

/// The product of matrices of bytes; `zero_point` is A's.
pub(super) fn matmul_integer(a: &ValueType, b: &ValueType, zero_point: &ValueType) -> Inferred {
    expect_bytes(a)?;
    expect_bytes(b)?;
    expect_same_dtype(a, zero_point)?;
    Ok(plain(DType::I32, shape_of_product(a, b)?))
}

pub(super) fn matmul_nbits(
    blocks: Blocks,
    [rows, columns]: [usize; 2],
    a: &ValueType,
    b: &ValueType,
    scales: &ValueType,
) -> Inferred {
    expect_float(a)?;
    expect_bytes(b)?;
    expect_same_dtype(a, scales)?;
    let count = blocks.of_row(columns);
    let expected = [rows, count, blocks.bytes()].map(Dim::from);
    if b.shape != expected || scales.shape != expected[..2] {
        let (b, scales) = (show(&b.shape), show(&scales.shape));
        return Err(format!("{b} and {scales} for {}", show(&expected)));
    }
    match a.shape.as_slice() {
        [leading @ .., inner] if inner.as_fixed() == Some(columns) => {
            let shape = [leading, &[Dim::from(rows)]].concat();
            Ok(plain(a.dtype, shape))
        }
        shape => Err(format!("{} times rows of {columns}", show(shape))),
    }
}

fn shape_of_product(a: &ValueType, b: &ValueType) -> Result<Vec<Dim>, String> {
    match (a.shape.as_slice(), b.shape.as_slice()) {
        ([batch_a @ .., rows, inner], [batch_b @ .., same, columns]) if inner == same => {
            let mut shape = broadcast(batch_a, batch_b)?;
            shape.extend([rows.clone(), columns.clone()]);
            Ok(shape)
        }
        (a, b) => Err(format!("{} times {}", show(a), show(b))),
    }
}
