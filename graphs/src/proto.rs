//! The ONNX messages that a NEZHA graph needs, as prost messages.
//!
//! Field numbers are those of [`onnx.proto3`](https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
//! Fields that neither a NEZHA graph has nor `inspect` reads from other tools' graphs are left out:
//! decoding skips them. Repeated numbers are written one by one, as onnx itself does, whose messages
//! are of proto2: not every reader takes the other form. For the same reason some fields are there
//! even where their value is 0 or empty: the one that an attribute's type names, and the domain of an
//! operator set. [`AttributeProto`] and [`OperatorSetIdProto`] have constructors that see to it.
//! Tensor contents are [`Bytes`], so that decoding from a memory map copies no weight.

use bytes::Bytes;

/// A whole file.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ModelProto {
    /// Version of the format.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// Name of the tool that wrote it.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// Version of that tool.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// The graph.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// Operator sets the graph draws on.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// Free-form pairs.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// One operator set and its version.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OperatorSetIdProto {
    /// Empty for the standard operators.
    #[prost(string, optional, tag = "1")]
    pub domain: Option<String>,
    /// The opset.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

impl OperatorSetIdProto {
    /// Version `version` of the operators of `domain`; the standard ones' is empty.
    pub fn new(domain: &str, version: i64) -> Self {
        Self {
            domain: Some(domain.to_owned()),
            version,
        }
    }
}

/// A key with a value.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StringStringEntryProto {
    /// The key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Nodes, weights and what they connect.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GraphProto {
    /// Operations, each after those it reads from.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// Name of the graph.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Weights and constants.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// What the graph is, for a reader.
    #[prost(string, tag = "10")]
    pub doc_string: String,
    /// Inputs.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// Outputs.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    /// Types and shapes of the edges in between.
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<ValueInfoProto>,
}

/// One operation.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NodeProto {
    /// Names of the values it reads; empty for an optional one left out.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of the values it makes.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Its own name.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// The operator's attributes.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    /// Domain of the operator; empty for the standard ones.
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
    /// A whole number.
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// A text.
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub s: Option<Bytes>,
    /// A tensor; few attributes have one, so it takes no room in the others.
    #[prost(message, optional, boxed, tag = "5")]
    pub t: Option<Box<TensorProto>>,
    /// A branch or the body of a loop.
    #[prost(message, optional, boxed, tag = "6")]
    pub g: Option<Box<GraphProto>>,
    /// Numbers.
    #[prost(float, repeated, packed = "false", tag = "7")]
    pub floats: Vec<f32>,
    /// Whole numbers.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// Which of the fields counts: 1 for `f`, 2 for `i`, 3 for `s`, 4 for `t`, 5 for `g`, 6 for
    /// `floats`, 7 for `ints`.
    #[prost(int32, tag = "20")]
    pub r#type: i32,
}

impl AttributeProto {
    /// A number.
    pub fn float(name: &str, f: f32) -> Self {
        Self {
            f: Some(f),
            ..Self::named(name, 1)
        }
    }

    /// A whole number.
    pub fn int(name: &str, i: i64) -> Self {
        Self {
            i: Some(i),
            ..Self::named(name, 2)
        }
    }

    /// A text.
    pub fn text(name: &str, s: &str) -> Self {
        Self {
            s: Some(Bytes::copy_from_slice(s.as_bytes())),
            ..Self::named(name, 3)
        }
    }

    /// Whole numbers.
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
    /// 1 where the elements are in another file.
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
    /// What it is, for a reader.
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
    /// The shape; absent where not even the rank is known.
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

/// The size of a dimension, or what it is called.
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
