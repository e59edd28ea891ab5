//! Checks the tables of relative positions that a checkpoint has. NEZHA's table is a sinusoid that
//! graphs compute themselves; a model with any other table is not a NEZHA.

use std::path::Path;
use std::sync::Arc;

use super::tensor::Data;
use super::{CheckpointError, Config, Storage};
use crate::nezha::relative_position_table;

/// A saved table.
pub(super) struct Table {
    /// Its name in the file.
    pub name: String,
    /// The file.
    pub file: Arc<Path>,
    /// `[length, length, head size]`, or `[rows, head size]`.
    pub shape: Vec<usize>,
    /// The storage type of its elements.
    pub storage: Storage,
    /// Its elements.
    pub data: Data,
}

/// The name of a table contains one of these.
const POSITIONS: [&str; 3] = ["relative_position", "rel_pos", "relative_attention_bias"];

/// Whether a tensor of an encoder is a table of relative positions.
pub(super) fn is_table(canonical: &str) -> bool {
    let name = canonical.to_ascii_lowercase();
    POSITIONS.iter().any(|it| name.contains(it))
}

/// Refuses a table that differs from the one that graphs compute.
pub(super) fn check(table: &Table, config: &Config) -> Result<(), CheckpointError> {
    let refused = |why: String| CheckpointError::LearnedPositions {
        path: table.file.to_path_buf(),
        name: table.name.clone(),
        why,
    };
    let (reach, width) = (config.max_relative_position, config.head_size());
    let rows = 2 * reach + 1;
    let is_expected = match *table.shape.as_slice() {
        [length, other, size] => length == other && size == width,
        [found, size] => found == rows && size == width,
        _ => false,
    };
    if !is_expected {
        let shape = &table.shape;
        return Err(refused(format!(
            "its shape is {shape:?}, where max_relative_position {reach} and heads of size {width} \
             make it [{rows}, {width}] or [length, length, {width}]"
        )));
    }
    let expected = relative_position_table(reach, width);
    let row = |number: usize| {
        expected
            .get(number * width..(number + 1) * width)
            .unwrap_or_default()
    };
    let bytes = table.data.bytes()?;
    let length = table.shape.first().copied().unwrap_or(0);
    let stride = width * table.storage.size();
    let mut found = Vec::new();
    // In a table over pairs of positions, the first and the last row contain every distance.
    let positions: Vec<(usize, usize)> = match table.shape.len() {
        2 => (0..rows).map(|it| (it, it)).collect(),
        _ => {
            let last = length.saturating_sub(1);
            let first_row = (0..length).map(|to| (to, to.min(reach) + reach));
            let last_row = (0..length).map(|to| {
                let distance = (last - to).min(reach);
                (last * length + to, reach - distance)
            });
            first_row.chain(last_row).collect()
        }
    };
    for (place, number) in positions {
        let stored = bytes
            .get(place * stride..(place + 1) * stride)
            .unwrap_or_default();
        table.storage.to_f32(stored, &mut found);
        for (column, (found, expected)) in found.iter().zip(row(number)).enumerate() {
            // This also refuses NaN.
            let near = (found - expected).abs() <= tolerance(table.storage, rows);
            if !near {
                let distance = number as i64 - reach as i64;
                return Err(refused(format!(
                    "it has {found} for distance {distance}, column {column}, where the sinusoid has {expected}"
                )));
            }
        }
    }
    Ok(())
}

/// Frameworks round `exp` differently in the last place, and the row number multiplies this
/// difference. In half precision, the rounding of an element itself is coarser.
fn tolerance(storage: Storage, rows: usize) -> f32 {
    let rounding = match storage {
        Storage::F32 | Storage::F64 => 0.0,
        Storage::F16 => 1e-3,
        Storage::BF16 => 8e-3,
    };
    rounding + rows as f32 * f32::EPSILON * 8.0
}
