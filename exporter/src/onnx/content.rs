use std::array;
use std::io::Write;

use super::WriteError;
use crate::checkpoint::{Checkpoint, Storage};
use crate::graph::{Content, Layout};

/// Elements that are widened at a time.
const CHUNK: usize = 64 * 1024;

/// Columns that are made to rows at a time, so that what is made stays in the second-level cache.
const BLOCK: usize = 32;

/// Rows that are read side by side within a block: they fill a cache line of what is made.
const STRIP: usize = 16;

/// A float32 as it lies in a file.
type Element = [u8; 4];

/// Writes the elements of an initializer, row-major, little-endian, float32 for weights.
pub(crate) fn write_content(
    checkpoint: &Checkpoint,
    content: &Content,
    out: &mut impl Write,
) -> Result<(), WriteError> {
    match content {
        Content::Inline(bytes) => Ok(out.write_all(bytes)?),
        Content::Weight {
            name,
            layout: Layout::AsStored,
        } => write_as_stored(checkpoint, name, out),
        Content::Weight {
            name,
            layout: Layout::Transposed,
        } => write_transposed(checkpoint, name, out),
    }
}

fn write_as_stored(
    checkpoint: &Checkpoint,
    name: &str,
    out: &mut impl Write,
) -> Result<(), WriteError> {
    if let Some(elements) = stored_f32(checkpoint, name) {
        return Ok(out.write_all(elements.as_flattened())?);
    }
    let mut bytes = Vec::with_capacity(CHUNK);
    checkpoint.read_f32_chunks(name, CHUNK, |chunk| {
        bytes.clear();
        bytes.extend(chunk.iter().map(|it| it.to_le_bytes()));
        Ok(out.write_all(bytes.as_flattened())?)
    })
}

fn write_transposed(
    checkpoint: &Checkpoint,
    name: &str,
    out: &mut impl Write,
) -> Result<(), WriteError> {
    let weight = checkpoint.weight(name);
    let columns = weight
        .and_then(|it| it.shape.last().copied())
        .unwrap_or(1)
        .max(1);
    if let Some(elements) = stored_f32(checkpoint, name) {
        return transpose(elements, columns, out);
    }
    let widened: Vec<Element> = checkpoint
        .read_f32(name)?
        .into_iter()
        .map(f32::to_le_bytes)
        .collect();
    transpose(&widened, columns, out)
}

/// The elements of a weight that needs no conversion, where they lie.
fn stored_f32<'c>(checkpoint: &'c Checkpoint, name: &str) -> Option<&'c [Element]> {
    let weight = checkpoint.weight(name)?;
    let bytes = checkpoint.bytes(name)?;
    (weight.storage == Storage::F32).then_some(bytes.as_chunks().0)
}

/// Writes the columns of a matrix, one after the other.
fn transpose(elements: &[Element], columns: usize, out: &mut impl Write) -> Result<(), WriteError> {
    let rows = elements.len() / columns;
    let mut block = vec![[0; 4]; BLOCK.min(columns) * rows];
    for first in (0..columns).step_by(BLOCK) {
        let width = BLOCK.min(columns - first);
        let mut strips = elements.chunks_exact(STRIP * columns);
        for (strip, lines) in strips.by_ref().enumerate() {
            let lines: [&[Element]; STRIP] =
                array::from_fn(|row| &lines[row * columns + first..][..width]);
            for column in 0..width {
                let made: [Element; STRIP] = array::from_fn(|row| lines[row][column]);
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
        for rows in sizes {
            for columns in sizes {
                let element = |row: usize, column: usize| {
                    let number = row * columns + column;
                    (number as u32).to_le_bytes()
                };
                let matrix: Vec<Element> = (0..rows * columns)
                    .map(|i| element(i / columns, i % columns))
                    .collect();
                let mut out = Vec::new();
                transpose(&matrix, columns, &mut out).unwrap();
                for (i, found) in out.as_chunks().0.iter().enumerate() {
                    let (column, row) = (i / rows, i % rows);
                    let expected = element(row, column);
                    assert_eq!(*found, expected, "[{rows}, {columns}]: {column}, {row}");
                }
                assert_eq!(out.len(), 4 * rows * columns, "[{rows}, {columns}]");
            }
        }
    }
}
