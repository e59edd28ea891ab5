use std::collections::BTreeMap;
use std::fmt;

use crate::proto::{DimensionProto, DimensionValue, GraphProto, TensorProto, ValueInfoProto};

/// ONNX's `TensorProto.DataType`: number, numpy's name if there is one, bits of an element.
const ELEMENT_TYPES: [(i32, &str, u64); 25] = [
    (1, "float32", 32),
    (2, "uint8", 8),
    (3, "int8", 8),
    (4, "uint16", 16),
    (5, "int16", 16),
    (6, "int32", 32),
    (7, "int64", 64),
    (8, "string", 0),
    (9, "bool", 8),
    (10, "float16", 16),
    (11, "float64", 64),
    (12, "uint32", 32),
    (13, "uint64", 64),
    (14, "complex64", 64),
    (15, "complex128", 128),
    (16, "bfloat16", 16),
    (17, "float8e4m3fn", 8),
    (18, "float8e4m3fnuz", 8),
    (19, "float8e5m2", 8),
    (20, "float8e5m2fnuz", 8),
    (21, "uint4", 4),
    (22, "int4", 4),
    (23, "float4e2m1", 4),
    (25, "uint2", 2),
    (26, "int2", 2),
];

/// Element type and shape of a tensor as a file states them, for any model. [`Port`](crate::Port)
/// is only for tensors that a NEZHA graph can have.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TensorType {
    /// The element type, by numpy's name.
    pub dtype: String,
    /// The dimensions: numbers or names, `?` for a dimension that has neither. Absent if not even
    /// the rank is known.
    #[serde(serialize_with = "numbers_as_numbers")]
    pub shape: Option<Vec<String>>,
}

impl TensorType {
    /// The type of an input, an output or an intermediate value; `None` if it states none, or is
    /// not a tensor.
    pub fn of_value(value: &ValueInfoProto) -> Option<Self> {
        let tensor = value.r#type.as_ref()?.tensor_type.as_ref()?;
        let dim = |dim: &DimensionProto| match &dim.value {
            Some(DimensionValue::DimValue(number)) => number.to_string(),
            Some(DimensionValue::DimParam(name)) if !name.is_empty() => name.clone(),
            _ => "?".to_owned(),
        };
        let shape = tensor.shape.as_ref();
        Some(Self {
            dtype: dtype_name(tensor.elem_type),
            shape: shape.map(|it| it.dim.iter().map(dim).collect()),
        })
    }

    /// The type of a weight or a constant.
    pub fn of_tensor(tensor: &TensorProto) -> Self {
        Self {
            dtype: dtype_name(tensor.data_type),
            shape: Some(tensor.dims.iter().map(i64::to_string).collect()),
        }
    }
}

impl fmt::Display for TensorType {
    /// `dtype[dim, dim]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = self.shape.as_ref();
        let shape = shape.map_or_else(|| "…".to_owned(), |dims| dims.join(", "));
        write!(f, "{}[{shape}]", self.dtype)
    }
}

fn numbers_as_numbers<S: serde::Serializer>(
    shape: &Option<Vec<String>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let dim = |dim: &String| match dim.parse::<i64>() {
        Ok(number) => serde_json::Value::from(number),
        Err(_) => serde_json::Value::from(dim.as_str()),
    };
    let shape = shape.as_ref();
    let shape = shape.map(|dims| dims.iter().map(dim).collect::<Vec<_>>());
    serde::Serialize::serialize(&shape, serializer)
}

/// The types that a graph states for its values, by name: inputs, outputs, intermediate values and
/// initializers.
pub fn graph_types(graph: &GraphProto) -> BTreeMap<&str, TensorType> {
    let values = [&graph.value_info, &graph.input, &graph.output];
    let values = values.into_iter().flatten();
    let tensors = graph.initializer.iter();
    values
        .filter_map(|value| Some((value.name.as_str(), TensorType::of_value(value)?)))
        .chain(tensors.map(|it| (it.name.as_str(), TensorType::of_tensor(it))))
        .collect()
}

/// The number of elements of a tensor.
pub(crate) fn elements(tensor: &TensorProto) -> u64 {
    let sizes = tensor.dims.iter();
    sizes.fold(1, |product, size| {
        product.saturating_mul(u64::try_from(*size).unwrap_or(0))
    })
}

/// The size of a tensor's elements in bytes; strings count as 0.
pub(crate) fn bytes(tensor: &TensorProto) -> u64 {
    let known = ELEMENT_TYPES.iter().find(|row| row.0 == tensor.data_type);
    let bits = known.map_or(0, |row| row.2);
    elements(tensor).saturating_mul(bits).div_ceil(8)
}

fn dtype_name(number: i32) -> String {
    let known = ELEMENT_TYPES.iter().find(|row| row.0 == number);
    known.map_or_else(|| format!("type {number}"), |row| row.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    #[test]
    fn both_tables_of_element_types_agree() {
        for (number, name, bits) in ELEMENT_TYPES {
            if let Some(dtype) = DType::from_onnx(number) {
                assert_eq!((dtype.name(), dtype.size() as u64 * 8), (name, bits));
            }
        }
    }

    #[test]
    fn a_hostile_shape_neither_overflows_nor_goes_below_zero() {
        let tensor = |dims: &[i64]| TensorProto {
            dims: dims.to_vec(),
            data_type: DType::F32.onnx(),
            ..TensorProto::default()
        };
        assert_eq!(bytes(&tensor(&[i64::MAX, i64::MAX])), u64::MAX / 8 + 1);
        assert_eq!(bytes(&tensor(&[-1, 3])), 0);
        assert_eq!(bytes(&tensor(&[2, 3])), 24);
    }
}
