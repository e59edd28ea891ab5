//! Replaces initializers in the bytes of a model.

use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};
use prost::{DecodeError, Message as _};

use crate::proto::TensorProto;

/// The field number of `ModelProto.graph`.
const GRAPH: u32 = 7;
/// The field number of `GraphProto.initializer`.
const INITIALIZER: u32 = 5;

/// What is done with an initializer.
#[derive(Clone, Debug, PartialEq)]
pub enum Initializer {
    /// It is kept.
    Keep,
    /// It is left out.
    Omit,
    /// It is replaced by this one.
    Replace(TensorProto),
}

/// Rewrites the bytes of a model. For each initializer, `choose` decides what is done with it; the
/// argument is its index in the graph. All other bytes are copied unchanged, also fields that
/// [`proto`](crate::proto) doesn't have.
///
/// # Errors
/// Why the bytes are not a valid model.
pub fn replace_initializers(
    model: &[u8],
    mut choose: impl FnMut(usize) -> Initializer,
) -> Result<Vec<u8>, DecodeError> {
    let mut number = 0;
    let mut out = Vec::new();
    fields(model, |tag, content, whole| {
        let Some(graph) = content.filter(|_| tag == GRAPH) else {
            out.extend_from_slice(whole);
            return Ok(());
        };
        let mut rewritten = Vec::new();
        fields(graph, |tag, content, whole| {
            if content.is_none() || tag != INITIALIZER {
                rewritten.extend_from_slice(whole);
                return Ok(());
            }
            match choose(number) {
                Initializer::Keep => rewritten.extend_from_slice(whole),
                Initializer::Omit => {}
                Initializer::Replace(tensor) => {
                    encode_key(INITIALIZER, WireType::LengthDelimited, &mut rewritten);
                    encode_varint(tensor.encoded_len() as u64, &mut rewritten);
                    tensor.encode_raw(&mut rewritten);
                }
            }
            number += 1;
            Ok(())
        })?;
        encode_key(GRAPH, WireType::LengthDelimited, &mut out);
        encode_varint(rewritten.len() as u64, &mut out);
        out.append(&mut rewritten);
        Ok(())
    })?;
    Ok(out)
}

/// Calls `each` for each field of a message, with its number, its content if the field is
/// length-delimited, and all bytes of the field.
fn fields(
    mut bytes: &[u8],
    mut each: impl FnMut(u32, Option<&[u8]>, &[u8]) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    while !bytes.is_empty() {
        let start = bytes;
        let (tag, wire_type) = decode_key(&mut bytes)?;
        let content = match wire_type {
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut bytes)?).unwrap_or(usize::MAX);
                // A field that is cut short is copied unchanged: whoever reads the result will
                // refuse it.
                let (content, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
                bytes = rest;
                Some(content)
            }
            _ => {
                skip_field(wire_type, tag, &mut bytes, DecodeContext::default())?;
                None
            }
        };
        let (whole, _) = start.split_at(start.len() - bytes.len());
        each(tag, content, whole)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::decode_model;
    use crate::proto::{GraphProto, ModelProto, ValueInfoProto};

    fn tensor(name: &str) -> TensorProto {
        TensorProto {
            name: name.to_owned(),
            raw_data: Bytes::from(vec![7; 300]),
            ..TensorProto::default()
        }
    }

    #[test]
    fn initializers_are_replaced_by_number_and_all_else_stays() {
        let names = |tensors: &[TensorProto]| -> Vec<String> {
            tensors.iter().map(|it| it.name.clone()).collect()
        };
        let model = ModelProto {
            producer_name: "nezha".to_owned(),
            graph: Some(GraphProto {
                initializer: ["a", "b", "c"].map(tensor).into(),
                output: vec![ValueInfoProto::default()],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        let mut bytes = model.encode_to_vec();
        // A field that no version of ONNX has.
        bytes.extend(b"\xfa\x3f\x03new");
        let kept = replace_initializers(&bytes, |_| Initializer::Keep).unwrap();
        assert_eq!(kept, bytes);
        let changed = replace_initializers(&bytes, |number| match number {
            0 => Initializer::Keep,
            1 => Initializer::Omit,
            _ => Initializer::Replace(tensor("d")),
        });
        let changed = changed.unwrap();
        assert!(changed.ends_with(b"\xfa\x3f\x03new"));
        let read = decode_model(Bytes::from(changed)).unwrap();
        assert_eq!(read.producer_name, "nezha");
        assert_eq!(names(&read.graph.unwrap().initializer), ["a", "d"]);
    }
}
