//! The ONNX messages that a NEZHA graph needs, as prost messages.
//!
//! Field numbers are those of [`onnx.proto3`](https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
//! Fields are left out if no NEZHA graph has them and `inspect` doesn't read them from other tools'
//! graphs; decoding skips such fields.
//!
//! onnx itself uses proto2, and not every reader accepts what proto3 writes instead. So repeated
//! numbers are not packed. And some fields are written even if their value is 0 or empty: the field
//! that an attribute's type names, and the domain of an operator set. The constructors of
//! [`AttributeProto`] and [`OperatorSetIdProto`] set them.
//!
//! Tensor contents are [`Bytes`], so that decoding a memory-mapped file copies no weights.

use bytes::Bytes;

/// A whole ONNX file.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ModelProto {
    /// Version of the format.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// Name of the tool that wrote the file.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// Version of the tool that wrote the file.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// The graph.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// The operator sets that the graph uses.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// Metadata, as key-value pairs.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// One operator set and its version.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OperatorSetIdProto {
    /// Empty for the standard operators.
    #[prost(string, optional, tag = "1")]
    pub domain: Option<String>,
    /// Version of the operator set.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

impl OperatorSetIdProto {
    /// Version `version` of the operators in `domain`; the standard operators have the domain "".
    pub fn new(domain: &str, version: i64) -> Self {
        Self {
            domain: Some(domain.to_owned()),
            version,
        }
    }
}

/// A key-value pair.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StringStringEntryProto {
    /// The key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// A graph: nodes, weights, inputs and outputs.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GraphProto {
    /// Operations; each comes after those whose results it reads.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// Name of the graph.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Weights and constants.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// A description for readers.
    #[prost(string, tag = "10")]
    pub doc_string: String,
    /// Inputs.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// Outputs.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    /// Types and shapes of intermediate values.
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<ValueInfoProto>,
}

/// One operation.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NodeProto {
    /// Names of the values it reads; an omitted optional input has the empty name.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of the values it computes.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Name of the node.
    #[prost(string, tag = "3")]
    pub name: String,
    /// Name of the operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// The operator's attributes.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    /// Domain of the operator; empty for standard operators.
    #[prost(string, tag = "7")]
    pub domain: String,
}

/// One attribute of an operation.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AttributeProto {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// A number.
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    /// An integer.
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// A string.
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub s: Option<Bytes>,
    /// A tensor. Few attributes have one, so it is boxed.
    #[prost(message, optional, boxed, tag = "5")]
    pub t: Option<Box<TensorProto>>,
    /// A graph: a branch of `If` or the body of a loop.
    #[prost(message, optional, boxed, tag = "6")]
    pub g: Option<Box<GraphProto>>,
    /// Numbers.
    #[prost(float, repeated, packed = "false", tag = "7")]
    pub floats: Vec<f32>,
    /// Integers.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// The attribute's type, which says which field counts: 1 for `f`, 2 for `i`, 3 for `s`, 4 for
    /// `t`, 5 for `g`, 6 for `floats`, 7 for `ints`.
    #[prost(int32, tag = "20")]
    pub r#type: i32,
}

impl AttributeProto {
    /// An attribute with a number.
    pub fn float(name: &str, f: f32) -> Self {
        Self {
            f: Some(f),
            ..Self::named(name, 1)
        }
    }

    /// An attribute with an integer.
    pub fn int(name: &str, i: i64) -> Self {
        Self {
            i: Some(i),
            ..Self::named(name, 2)
        }
    }

    /// An attribute with a string.
    pub fn text(name: &str, s: &str) -> Self {
        Self {
            s: Some(Bytes::copy_from_slice(s.as_bytes())),
            ..Self::named(name, 3)
        }
    }

    /// An attribute with integers.
    pub fn ints(name: &str, ints: Vec<i64>) -> Self {
        Self {
            ints,
            ..Self::named(name, 7)
        }
    }

    fn named(name: &str, r#type: i32) -> Self {
        Self {
            name: name.to_owned(),
            r#type,
            ..Self::default()
        }
    }
}

/// A weight or a constant.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorProto {
    /// Its shape.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// Its element type, see [`DType::onnx`](crate::DType::onnx).
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Its name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Elements in row-major order, little-endian.
    #[prost(bytes = "bytes", tag = "9")]
    pub raw_data: Bytes,
    /// `location`, `offset` and `length` of elements in another file.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringStringEntryProto>,
    /// 1 if the elements are in another file.
    #[prost(int32, tag = "14")]
    pub data_location: i32,
}

/// Name, type and shape of a value.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ValueInfoProto {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its type.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
    /// A description for readers.
    #[prost(string, tag = "3")]
    pub doc_string: String,
}

/// The type of a value; tensors only.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TypeProto {
    /// The tensor type.
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
}

/// Element type and shape.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorTypeProto {
    /// The element type, see [`DType::onnx`](crate::DType::onnx).
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// The shape; absent if not even the rank is known.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// A shape.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorShapeProto {
    /// Its dimensions.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimensionProto>,
}

/// One dimension of a shape.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DimensionProto {
    /// A number or a name.
    #[prost(oneof = "DimensionValue", tags = "1, 2")]
    pub value: Option<DimensionValue>,
}

/// The size of a dimension, or its name.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum DimensionValue {
    /// A number.
    #[prost(int64, tag = "1")]
    DimValue(i64),
    /// A name.
    #[prost(string, tag = "2")]
    DimParam(String),
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    /// A field is there or not whatever its value, as `onnx.helper` 1.23 writes it.
    #[test]
    fn bytes_are_those_of_onnxs_own_helper() {
        let cases: [(&str, Vec<u8>, &[u8]); 7] = [
            (
                "make_attribute('i', 0)",
                AttributeProto::int("i", 0).encode_to_vec(),
                b"\x0a\x01i\x18\x00\xa0\x01\x02",
            ),
            (
                "make_attribute('f', 0.0)",
                AttributeProto::float("f", 0.0).encode_to_vec(),
                b"\x0a\x01f\x15\x00\x00\x00\x00\xa0\x01\x01",
            ),
            (
                "make_attribute('s', '')",
                AttributeProto::text("s", "").encode_to_vec(),
                b"\x0a\x01s\x22\x00\xa0\x01\x03",
            ),
            (
                "make_attribute('ints', [0, 1])",
                AttributeProto::ints("ints", vec![0, 1]).encode_to_vec(),
                b"\x0a\x04ints\x40\x00\x40\x01\xa0\x01\x07",
            ),
            (
                "make_attribute('ints', [], attr_type=AttributeProto.INTS)",
                AttributeProto::ints("ints", vec![]).encode_to_vec(),
                b"\x0a\x04ints\xa0\x01\x07",
            ),
            (
                "make_opsetid('', 17)",
                OperatorSetIdProto::new("", 17).encode_to_vec(),
                b"\x0a\x00\x10\x11",
            ),
            (
                "make_tensor_value_info('x', TensorProto.FLOAT, ['b', 0, 3])",
                crate::Port::new(
                    "x",
                    crate::DType::F32,
                    &[
                        crate::Dim::symbol("b"),
                        crate::Dim::from(0),
                        crate::Dim::from(3),
                    ],
                    "",
                )
                .to_proto()
                .encode_to_vec(),
                b"\x0a\x01x\x12\x13\x0a\x11\x08\x01\x12\x0d\x0a\x03\x12\x01b\x0a\x02\x08\x00\x0a\x02\x08\x03",
            ),
        ];
        for (call, ours, onnx) in cases {
            assert_eq!(ours, onnx, "{call}");
        }
    }
}
