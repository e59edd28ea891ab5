use std::io::Write;

use super::WriteError;
use crate::checkpoint::{Checkpoint, Storage};
use crate::graph::{Blocks, Content, Encoding, Layout};
use crate::quantize::{encode, unencodable};
use crate::transpose::transpose;

/// Elements that are converted at a time: enough for all cores, few enough for the cache.
const CHUNK: usize = 1 << 18;

/// Writes the elements of an initializer, row-major, little-endian.
///
/// # Errors
/// The error of `out` or of reading the checkpoint; [`WriteError::Precision`] if the encoding can't
/// represent an element.
pub fn write_content(
    checkpoint: &Checkpoint,
    content: &Content,
    out: &mut impl Write,
) -> Result<(), WriteError> {
    match content {
        Content::Inline(bytes) => Ok(out.write_all(bytes)?),
        Content::Weight {
            name,
            layout: Layout::AsStored,
            encoding,
        } => match is_unchanged(checkpoint, name, *encoding) {
            true => Ok(out.write_all(&checkpoint.bytes(name)?)?),
            false => convert(checkpoint, name, *encoding, out),
        },
        Content::Weight {
            name,
            layout: Layout::Transposed,
            encoding,
        } => {
            let unchanged = is_unchanged(checkpoint, name, *encoding);
            // TensorFlow's and Paddle's matrices are stored in the order that the graph needs.
            if unchanged && let Some(columns) = checkpoint.columns(name)? {
                return Ok(out.write_all(&columns)?);
            }
            let bytes = match unchanged {
                true => checkpoint.bytes(name)?,
                false => {
                    let mut bytes = Vec::new();
                    convert(checkpoint, name, *encoding, &mut bytes)?;
                    bytes.into()
                }
            };
            let (size, columns) = (encoding.dtype().size(), columns(checkpoint, name));
            Ok(transpose(&bytes, size, columns, out)?)
        }
    }
}

/// Whether an encoding leaves a weight's bytes as they are in the checkpoint.
fn is_unchanged(checkpoint: &Checkpoint, name: &str, encoding: Encoding) -> bool {
    match checkpoint.weight(name).map(|it| it.storage) {
        Some(Storage::F32) => encoding == Encoding::F32,
        Some(Storage::F16) => encoding == Encoding::F16,
        Some(Storage::BF16 | Storage::F64) | None => false,
    }
}

/// Writes the encoded elements of a weight, row by row.
fn convert(
    checkpoint: &Checkpoint,
    name: &str,
    encoding: Encoding,
    out: &mut impl Write,
) -> Result<(), WriteError> {
    let columns = columns(checkpoint, name);
    let rows = (CHUNK / columns).max(1);
    checkpoint.read_f32_chunks(name, rows * columns, |chunk| {
        if let Some(element) = unencodable(encoding, chunk) {
            return Err(WriteError::Precision {
                name: name.to_owned(),
                element,
                precision: match encoding {
                    Encoding::F32 => "float32",
                    Encoding::F16 => "float16",
                    Encoding::Int8 | Encoding::Int8Scales => "int8",
                    Encoding::Blocks(Blocks::Q8) | Encoding::BlockScales(Blocks::Q8) => "q8",
                    Encoding::Blocks(Blocks::Q4) | Encoding::BlockScales(Blocks::Q4) => "q4",
                },
            });
        }
        Ok(out.write_all(&encode(encoding, columns, chunk))?)
    })
}

fn columns(checkpoint: &Checkpoint, name: &str) -> usize {
    let shape = checkpoint.weight(name).map(|it| it.shape.as_slice());
    shape.and_then(|it| it.last().copied()).unwrap_or(1).max(1)
}
