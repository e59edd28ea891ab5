//! The element types of stored weights, and their conversion to f32.

use std::fmt;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// The storage type of a weight's elements, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Storage {
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point, IEEE 754.
    F16,
    /// 16-bit floating point with the exponent of f32.
    BF16,
    /// 64-bit floating point.
    F64,
}

impl Storage {
    /// Size of an element, in bytes.
    pub fn size(self) -> usize {
        match self {
            Storage::F16 | Storage::BF16 => 2,
            Storage::F32 => 4,
            Storage::F64 => 8,
        }
    }

    /// safetensors' name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Storage::F32 => "F32",
            Storage::F16 => "F16",
            Storage::BF16 => "BF16",
            Storage::F64 => "F64",
        }
    }

    /// Replaces the content of `out` by the elements of `bytes`; f64 is rounded to the nearest f32.
    ///
    /// The bytes need no alignment. An incomplete last element is ignored.
    pub(super) fn to_f32(self, bytes: &[u8], out: &mut Vec<f32>) {
        out.clear();
        match self {
            Storage::F32 => out.extend(elements(bytes).map(f32::from_le_bytes)),
            Storage::F64 => out.extend(elements(bytes).map(|it| f64::from_le_bytes(it) as f32)),
            Storage::F16 => {
                let halves: Vec<f16> = elements(bytes).map(f16::from_le_bytes).collect();
                out.resize(halves.len(), 0.0);
                halves.convert_to_f32_slice(out);
            }
            Storage::BF16 => out.extend(elements(bytes).map(|it| bf16::from_le_bytes(it).to_f32())),
        }
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

fn elements<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.as_chunks::<N>().0.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_storage_widens_to_the_same_numbers_from_any_alignment() {
        let numbers = [0.0, -1.5, 0.15625, 1024.0, f32::INFINITY];
        let bytes = |storage: Storage| -> Vec<u8> {
            numbers
                .iter()
                .flat_map(|&it| match storage {
                    Storage::F32 => it.to_le_bytes().to_vec(),
                    Storage::F64 => f64::from(it).to_le_bytes().to_vec(),
                    Storage::F16 => f16::from_f32(it).to_le_bytes().to_vec(),
                    Storage::BF16 => bf16::from_f32(it).to_le_bytes().to_vec(),
                })
                .collect()
        };
        for storage in [Storage::F32, Storage::F16, Storage::BF16, Storage::F64] {
            let mut shifted = vec![0xff];
            shifted.extend(bytes(storage));
            let mut out = vec![7.0];
            storage.to_f32(&shifted[1..], &mut out);
            assert_eq!(out, numbers, "{storage}");
        }
    }
}
