//! Transposes matrices.

use std::array;
use std::io::{self, Write};

/// Columns that are transposed at a time, so that the result stays in the second-level cache.
const BLOCK: usize = 32;

/// Rows that are read together within a block: in single precision, their elements fill a cache
/// line of the result.
const STRIP: usize = 16;

/// Writes a matrix with elements of `size` bytes column by column.
///
/// # Errors
/// Those of `out`.
pub(crate) fn transpose(
    bytes: &[u8],
    size: usize,
    columns: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    match size {
        1 => write_columns::<1>(bytes.as_chunks().0, columns, out),
        2 => write_columns::<2>(bytes.as_chunks().0, columns, out),
        8 => write_columns::<8>(bytes.as_chunks().0, columns, out),
        _ => write_columns::<4>(bytes.as_chunks().0, columns, out),
    }
}

fn write_columns<const N: usize>(
    elements: &[[u8; N]],
    columns: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let rows = elements.len() / columns;
    let mut block = vec![[0; N]; BLOCK.min(columns) * rows];
    for first in (0..columns).step_by(BLOCK) {
        let width = BLOCK.min(columns - first);
        let mut strips = elements.chunks_exact(STRIP * columns);
        for (strip, lines) in strips.by_ref().enumerate() {
            let lines: [&[[u8; N]]; STRIP] =
                array::from_fn(|row| &lines[row * columns + first..][..width]);
            for column in 0..width {
                let made: [[u8; N]; STRIP] = array::from_fn(|row| lines[row][column]);
                block[column * rows + strip * STRIP..][..STRIP].copy_from_slice(&made);
            }
        }
        let done = rows - rows % STRIP;
        for (row, line) in strips.remainder().chunks_exact(columns).enumerate() {
            for (column, element) in line[first..first + width].iter().enumerate() {
                block[column * rows + done + row] = *element;
            }
        }
        out.write_all(block[..width * rows].as_flattened())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_reaches_every_element_whatever_the_sizes() {
        let sizes = [1, 2, STRIP, STRIP + 1, BLOCK - 1, BLOCK, 2 * BLOCK + 3];
        for size in [1, 2, 4, 8] {
            for rows in sizes {
                for columns in sizes {
                    let element = |row: usize, column: usize| {
                        let number = (row * columns + column) as u64;
                        number.to_le_bytes()[..size].to_vec()
                    };
                    let matrix: Vec<u8> = (0..rows * columns)
                        .flat_map(|i| element(i / columns, i % columns))
                        .collect();
                    let mut out = Vec::new();
                    transpose(&matrix, size, columns, &mut out).unwrap();
                    let context = format!("{size} bytes, [{rows}, {columns}]");
                    for (i, found) in out.chunks(size).enumerate() {
                        let (column, row) = (i / rows, i % rows);
                        assert_eq!(found, element(row, column), "{context}: {column}, {row}");
                    }
                    assert_eq!(out.len(), size * rows * columns, "{context}");
                }
            }
        }
    }
}
