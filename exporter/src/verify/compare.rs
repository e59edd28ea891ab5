//! Compares every element of every initializer.

use std::collections::BTreeMap;
use std::io::{self, Write};

use nezha_graphs::proto::TensorProto;
use nezha_graphs::{DType, Dim, Port};

use super::stored::StoredModel;
use super::{Difference, VerifyError};
use crate::checkpoint::Checkpoint;
use crate::graph::{Graph, Initializer};
use crate::onnx::{WriteError, write_content};

/// The result of comparing the initializers.
pub(super) struct Compared {
    pub elements: u64,
    pub differences: Vec<Difference>,
}

/// Compares the initializers of `model` with those of `expected`, by name.
pub(super) fn initializers(
    checkpoint: &Checkpoint,
    expected: &Graph,
    model: &StoredModel,
) -> Result<Compared, VerifyError> {
    let mut compared = Compared {
        elements: 0,
        differences: Vec::new(),
    };
    let mut stored: BTreeMap<&str, &TensorProto> = BTreeMap::new();
    for tensor in &model.graph.initializer {
        if stored.insert(&tensor.name, tensor).is_some() {
            compared.differences.push(Difference::Unexpected {
                name: tensor.name.clone(),
            });
        }
    }
    for initializer in &expected.initializers {
        let name = expected.value_name(initializer.value);
        match stored.remove(name) {
            Some(tensor) => {
                let difference = one(checkpoint, expected, initializer, tensor, model)?;
                compared.differences.extend(difference);
                compared.elements += elements(expected, initializer);
            }
            None => compared.differences.push(Difference::Missing {
                name: name.to_owned(),
            }),
        }
    }
    let unexpected = stored.into_keys().map(|name| Difference::Unexpected {
        name: name.to_owned(),
    });
    compared.differences.extend(unexpected);
    Ok(compared)
}

fn shape(graph: &Graph, initializer: &Initializer) -> Vec<usize> {
    let dims = graph.value_type(initializer.value).shape.iter();
    dims.map(|dim| dim.as_fixed().unwrap_or(0)).collect()
}

fn elements(graph: &Graph, initializer: &Initializer) -> u64 {
    shape(graph, initializer).iter().product::<usize>() as u64
}

/// Compares one initializer: element type and shape, then the elements.
///
/// The exporter gives the same bytes for the same weight, so no byte may differ.
fn one(
    checkpoint: &Checkpoint,
    graph: &Graph,
    initializer: &Initializer,
    tensor: &TensorProto,
    model: &StoredModel,
) -> Result<Option<Difference>, VerifyError> {
    let value_type = graph.value_type(initializer.value);
    let (dtype, shape) = (value_type.dtype, shape(graph, initializer));
    let is_shape =
        tensor.dims.len() == shape.len()
            && tensor.dims.iter().zip(&shape).all(|(found, expected)| {
                usize::try_from(*found).is_ok_and(|found| found == *expected)
            });
    let found = model.elements(tensor)?;
    let size = shape.iter().product::<usize>() * dtype.size();
    if tensor.data_type != dtype.onnx() || !is_shape || found.len() != size {
        return Ok(Some(Difference::Type {
            name: tensor.name.clone(),
            expected: format!("{}, {size} bytes", describe(dtype, &value_type.shape)),
            found: match DType::from_onnx(tensor.data_type) {
                Some(dtype) => format!("{dtype}{:?}, {} bytes", tensor.dims, found.len()),
                None => format!("type {}, {} bytes", tensor.data_type, found.len()),
            },
        }));
    }
    let mut comparison = Comparison {
        found: &found,
        size: dtype.size(),
        position: 0,
        differing: 0,
        first: None,
    };
    match write_content(checkpoint, &initializer.content, &mut comparison) {
        Ok(()) => {}
        Err(WriteError::Checkpoint(error)) => return Err(error.into()),
        Err(error) => return Err(error.into()),
    }
    Ok(comparison.first.map(|first| Difference::Value {
        name: tensor.name.clone(),
        index: index(first.element, &shape),
        expected: number(dtype, &first.expected),
        found: number(dtype, &first.found),
        differing: comparison.differing,
        elements: shape.iter().product::<usize>() as u64,
    }))
}

fn describe(dtype: DType, shape: &[Dim]) -> String {
    let port = Port::new("", dtype, shape, "").to_string();
    port.trim_start_matches(": ").to_owned()
}

/// A writer that compares what is written with existing bytes. Only whole elements may be written.
struct Comparison<'b> {
    found: &'b [u8],
    /// Size of an element, in bytes.
    size: usize,
    position: usize,
    differing: u64,
    first: Option<First>,
}

/// The first element that differs.
struct First {
    element: usize,
    expected: Vec<u8>,
    found: Vec<u8>,
}

impl Write for Comparison<'_> {
    fn write(&mut self, expected: &[u8]) -> io::Result<usize> {
        let end = self.position + expected.len();
        let found = self
            .found
            .get(self.position..end)
            .ok_or_else(|| io::Error::other("the checkpoint's weight has more elements"))?;
        if found != expected {
            let pairs = expected.chunks(self.size).zip(found.chunks(self.size));
            for (i, (expected, found)) in pairs.enumerate().filter(|(_, (a, b))| a != b) {
                self.differing += 1;
                self.first.get_or_insert_with(|| First {
                    element: self.position / self.size + i,
                    expected: expected.to_vec(),
                    found: found.to_vec(),
                });
            }
        }
        self.position = end;
        Ok(expected.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The index of the element number `element` in a row-major tensor.
fn index(element: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = element;
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|size| {
            let at = rest % size.max(&1);
            rest /= size.max(&1);
            at
        })
        .collect();
    index.reverse();
    index
}

/// One little-endian element as text.
fn number(dtype: DType, bytes: &[u8]) -> String {
    let hexadecimal = || bytes.iter().map(|it| format!("{it:02x}")).collect();
    let text = match dtype {
        DType::F32 => bytes
            .try_into()
            .map(|it| f32::from_le_bytes(it).to_string()),
        DType::F16 => bytes
            .try_into()
            .map(|it| half::f16::from_le_bytes(it).to_string()),
        DType::I64 => bytes
            .try_into()
            .map(|it| i64::from_le_bytes(it).to_string()),
        DType::I32 => bytes
            .try_into()
            .map(|it| i32::from_le_bytes(it).to_string()),
        DType::I8 => bytes.try_into().map(|it| i8::from_le_bytes(it).to_string()),
        DType::U8 | DType::Bool => bytes.try_into().map(|it| u8::from_le_bytes(it).to_string()),
    };
    text.unwrap_or_else(|_| hexadecimal())
}
