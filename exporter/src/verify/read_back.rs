//! The numbers that encoded weights represent, computed from the definition of the encoding,
//! without the code that writes them.

use std::collections::HashMap;

use bytes::Bytes;
use half::f16;

use super::VerifyError;
use crate::checkpoint::Checkpoint;
use crate::graph::{Content, Encoding, Graph, Layout};
use crate::onnx::write_content;
use crate::reference::Reference;

/// The reference with the numbers that the weights of `graph` represent. So an engine's comparison
/// measures the error of computing, not that of rounding the weights.
///
/// The checkpoint's weights are rounded for it, instead of reading the artifact's: two faults that
/// cancel out in the artifact don't cancel out here.
pub(super) fn reference(checkpoint: &Checkpoint, graph: &Graph) -> Result<Reference, VerifyError> {
    let named = graph
        .initializers
        .iter()
        .filter_map(|it| match &it.content {
            Content::Weight {
                name,
                encoding: Encoding::F16 | Encoding::Int8 | Encoding::Blocks(_),
                ..
            } => Some((name.as_str(), &it.content)),
            _ => None,
        });
    let rounded: HashMap<&str, &Content> = named.collect();
    Reference::with_weights(checkpoint, |info| {
        let content = rounded.get(info.name.as_str());
        let numbers = content.map(|it| stands_for(checkpoint, it)).transpose()?;
        match numbers.flatten() {
            Some(numbers) => Ok(numbers),
            None => Ok(checkpoint.read_f32(&info.name)?),
        }
    })
}

/// The numbers that a weight represents after it is encoded, row-major as in the checkpoint; `None`
/// if encoding doesn't change them.
fn stands_for(checkpoint: &Checkpoint, content: &Content) -> Result<Option<Vec<f32>>, VerifyError> {
    let Content::Weight { name, encoding, .. } = content else {
        return Ok(None);
    };
    if *encoding == Encoding::F16 {
        let as_stored = Content::Weight {
            name: name.clone(),
            layout: Layout::AsStored,
            encoding: *encoding,
        };
        let bytes = encoded(checkpoint, &as_stored)?;
        let halves = bytes.as_chunks().0.iter().copied().map(f16::from_le_bytes);
        return Ok(Some(halves.map(f16::to_f32).collect()));
    }
    let matrix = Quantized::read(checkpoint, content, |it| encoded(checkpoint, it).map(Some))?;
    Ok(matrix.map(|it| {
        let places = (0..it.rows).flat_map(|row| (0..it.columns).map(move |column| (row, column)));
        let number = |(row, column)| it.at(row, column).0 as f32;
        places.map(number).collect()
    }))
}

/// The bytes of a weight in an artifact.
fn encoded(checkpoint: &Checkpoint, content: &Content) -> Result<Bytes, VerifyError> {
    let mut bytes = Vec::new();
    write_content(checkpoint, content, &mut bytes)?;
    Ok(bytes.into())
}

/// A quantized matrix and its scales, as stored in an artifact.
pub(super) struct Quantized {
    encoding: Encoding,
    layout: Layout,
    pub rows: usize,
    pub columns: usize,
    elements: Bytes,
    scales: Bytes,
}

impl Quantized {
    /// Gets the bytes of elements and scales from `bytes`. `None` if `content` is not quantized, or
    /// if the number of bytes doesn't match its shape.
    pub(super) fn read(
        checkpoint: &Checkpoint,
        content: &Content,
        bytes: impl Fn(&Content) -> Result<Option<Bytes>, VerifyError>,
    ) -> Result<Option<Self>, VerifyError> {
        let Content::Weight {
            name,
            layout,
            encoding,
        } = content
        else {
            return Ok(None);
        };
        let scales = match encoding {
            Encoding::Int8 => Encoding::Int8Scales,
            Encoding::Blocks(blocks) => Encoding::BlockScales(*blocks),
            _ => return Ok(None),
        };
        let scales = Content::Weight {
            name: name.clone(),
            layout: Layout::AsStored,
            encoding: scales,
        };
        let shape = checkpoint.weight(name).map(|it| it.shape.as_slice());
        let (Some(&[rows, columns]), Some(elements), Some(scales)) =
            (shape, bytes(content)?, bytes(&scales)?)
        else {
            return Ok(None);
        };
        let (row_bytes, steps) = match encoding {
            Encoding::Blocks(it) => (it.of_row(columns) * it.bytes(), it.of_row(columns)),
            _ => (columns, 1),
        };
        let sizes = (rows * row_bytes, rows * steps * 4);
        Ok((sizes == (elements.len(), scales.len())).then_some(Self {
            encoding: *encoding,
            layout: *layout,
            rows,
            columns,
            elements,
            scales,
        }))
    }

    /// The number that the element represents, and its step.
    pub(super) fn at(&self, row: usize, column: usize) -> (f64, f64) {
        let (number, step) = match self.encoding {
            Encoding::Blocks(blocks) => {
                let (block, within) = (column / blocks.size(), column % blocks.size());
                let part = row * blocks.of_row(self.columns) + block;
                let bit = part * blocks.bytes() * 8 + within * blocks.bits();
                let mask = u8::MAX >> (8 - blocks.bits());
                let code = self.elements[bit / 8] >> (bit % 8) & mask;
                (f64::from(code) - f64::from(blocks.zero()), part)
            }
            _ => {
                let place = match self.layout {
                    Layout::AsStored => row * self.columns + column,
                    Layout::Transposed => column * self.rows + row,
                };
                (f64::from(self.elements[place] as i8), row)
            }
        };
        let bytes = self.scales.as_chunks().0[step];
        let scale = f64::from(f32::from_le_bytes(bytes));
        (number * scale, scale.abs())
    }
}
