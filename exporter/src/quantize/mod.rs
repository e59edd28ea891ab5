//! Encodes weights in fewer bits: plain arithmetic on rows of numbers, without graphs and files.
//!
//! [`encode`] computes the bytes of a weight in an artifact, so whoever has the checkpoint can tell
//! what each initializer should be.

mod blocks;
mod half;
mod rows;

use rayon::prelude::*;

use crate::graph::Encoding;

/// Encodes `elements`, which are whole rows of `columns` numbers in the checkpoint's order. The
/// result is row-major and little-endian, with elements of [`Encoding::dtype`].
///
/// Rows are independent: encoding some rows and then the others gives the same bytes.
pub fn encode(encoding: Encoding, columns: usize, elements: &[f32]) -> Vec<u8> {
    match encoding {
        Encoding::F32 => elements.iter().flat_map(|it| it.to_le_bytes()).collect(),
        Encoding::F16 => half::encode(elements),
        Encoding::Int8 => in_rows(elements, columns, columns, rows::quantize),
        Encoding::Int8Scales => in_rows(elements, columns, 4, |row, bytes| {
            bytes.copy_from_slice(&rows::scale(row).to_le_bytes());
        }),
        Encoding::Blocks(blocks) => {
            let bytes = blocks.of_row(columns) * blocks.bytes();
            in_rows(elements, columns, bytes, |row, bytes| {
                blocks::quantize(blocks, row, bytes);
            })
        }
        Encoding::BlockScales(blocks) => {
            let bytes = blocks.of_row(columns) * 4;
            in_rows(elements, columns, bytes, |row, bytes| {
                blocks::scales(blocks, row, bytes);
            })
        }
    }
}

/// The first element that the encoding can't represent: too large for half precision, or not finite
/// in 8 and 4 bits.
pub fn unencodable(encoding: Encoding, elements: &[f32]) -> Option<f32> {
    let has_none = |element: &f32| match encoding {
        Encoding::F32 => false,
        Encoding::F16 => element.is_finite() && element.abs() >= half::OVERFLOW,
        Encoding::Int8 | Encoding::Int8Scales | Encoding::Blocks(_) | Encoding::BlockScales(_) => {
            !element.is_finite()
        }
    };
    elements.iter().copied().find(has_none)
}

/// Lets `encode` compute `bytes` bytes from each row, on all cores.
fn in_rows(
    elements: &[f32],
    columns: usize,
    bytes: usize,
    encode: impl Fn(&[f32], &mut [u8]) + Sync,
) -> Vec<u8> {
    let columns = columns.max(1);
    let mut out = vec![0; elements.len() / columns * bytes];
    out.par_chunks_mut(bytes.max(1))
        .zip(elements.par_chunks(columns))
        .for_each(|(out, row)| encode(row, out));
    out
}
