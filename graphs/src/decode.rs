use std::mem::size_of;

use bytes::Bytes;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost::{DecodeError, Message as _};

use crate::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};

/// Bytes that messages may take beyond those of the file: many times what the largest of graphs
/// needs that has its weights in another file.
const ALLOWANCE: usize = 64 << 20;

/// Depth at which prost gives up, too.
const DEEPEST: usize = 100;

/// A vector that grows has room for twice what is in it.
const GROWTH: usize = 2;

/// Why bytes are not read as a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeModelError {
    /// They are no protobuf message of this kind, or one that was cut short.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// Their messages take many times the room that the bytes take, as those of no model do.
    #[error("its {found} bytes unfold to more than {limit} bytes of messages, as no model's do")]
    Unfolds {
        /// The bytes there are.
        found: usize,
        /// What the messages may take.
        limit: usize,
    },
}

/// Decodes a model from bytes that nobody vouches for; weights are views of them.
///
/// An empty message is two bytes in a file and a few hundred in memory, so the messages are counted
/// first: decoding never takes more memory than the file's size and 64 MiB.
///
/// # Errors
/// [`DecodeModelError`].
pub fn decode_model(bytes: Bytes) -> Result<ModelProto, DecodeModelError> {
    let limit = bytes.len().saturating_add(ALLOWANCE);
    let mut room = Room(limit);
    if !room.holds(Kind::Model, &bytes, 0)? {
        return Err(DecodeModelError::Unfolds {
            found: bytes.len(),
            limit,
        });
    }
    Ok(ModelProto::decode(bytes)?)
}

/// The messages of [`proto`](crate::proto).
#[derive(Clone, Copy)]
enum Kind {
    Model,
    OperatorSet,
    Entry,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Dimension,
}

/// What a field with room of its own holds.
enum Field {
    Message(Kind),
    Text,
    Integers,
}

impl Kind {
    fn size(self) -> usize {
        match self {
            Kind::Model => size_of::<ModelProto>(),
            Kind::OperatorSet => size_of::<OperatorSetIdProto>(),
            Kind::Entry => size_of::<StringStringEntryProto>(),
            Kind::Graph => size_of::<GraphProto>(),
            Kind::Node => size_of::<NodeProto>(),
            Kind::Attribute => size_of::<AttributeProto>(),
            Kind::Tensor => size_of::<TensorProto>(),
            Kind::ValueInfo => size_of::<ValueInfoProto>(),
            Kind::Type => size_of::<TypeProto>(),
            Kind::TensorType => size_of::<TensorTypeProto>(),
            Kind::Shape => size_of::<TensorShapeProto>(),
            Kind::Dimension => size_of::<DimensionProto>(),
        }
    }

    /// Fields that may unfold; all others take no more room than their bytes.
    fn field(self, tag: u32) -> Option<Field> {
        let message = |kind| Some(Field::Message(kind));
        match (self, tag) {
            (Kind::Model, 7) | (Kind::Attribute, 6) => message(Kind::Graph),
            (Kind::Model, 8) => message(Kind::OperatorSet),
            (Kind::Model, 14) | (Kind::Tensor, 13) => message(Kind::Entry),
            (Kind::Graph, 1) => message(Kind::Node),
            (Kind::Graph, 5) | (Kind::Attribute, 5) => message(Kind::Tensor),
            (Kind::Graph, 11..=13) => message(Kind::ValueInfo),
            (Kind::Node, 1 | 2) => Some(Field::Text),
            (Kind::Node, 5) => message(Kind::Attribute),
            (Kind::Attribute, 8) | (Kind::Tensor, 1) => Some(Field::Integers),
            (Kind::ValueInfo, 2) => message(Kind::Type),
            (Kind::Type, 1) => message(Kind::TensorType),
            (Kind::TensorType, 2) => message(Kind::Shape),
            (Kind::Shape, 1) => message(Kind::Dimension),
            _ => None,
        }
    }
}

/// Bytes that are left for messages.
struct Room(usize);

impl Room {
    /// Whether there is room for all in a message of this kind.
    fn holds(&mut self, kind: Kind, mut bytes: &[u8], depth: usize) -> Result<bool, DecodeError> {
        while !bytes.is_empty() {
            let (tag, wire_type) = decode_key(&mut bytes)?;
            let field = kind.field(tag);
            if wire_type != WireType::LengthDelimited {
                let single = field.map_or(0, |_| size_of::<u64>());
                if !self.take(single) {
                    return Ok(false);
                }
                skip_field(wire_type, tag, &mut bytes, DecodeContext::default())?;
                continue;
            }
            let length = usize::try_from(decode_varint(&mut bytes)?).unwrap_or(usize::MAX);
            let Some((content, rest)) = bytes.split_at_checked(length) else {
                // Cut short, as prost will say.
                return Ok(true);
            };
            bytes = rest;
            let fits = match field {
                Some(Field::Message(kind)) => {
                    self.take(kind.size())
                        && (depth >= DEEPEST || self.holds(kind, content, depth + 1)?)
                }
                Some(Field::Text) => self.take(size_of::<String>() + length),
                Some(Field::Integers) => self.take(length.saturating_mul(size_of::<i64>())),
                None => true,
            };
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes.saturating_mul(GROWTH));
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field of a message in bytes: its number, its length, its content.
    fn field(tag: u32, content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        prost::encoding::encode_key(tag, WireType::LengthDelimited, &mut bytes);
        prost::encoding::encode_varint(content.len() as u64, &mut bytes);
        bytes.extend(content);
        bytes
    }

    fn refused(model: Vec<u8>) -> bool {
        let found = decode_model(Bytes::from(model));
        matches!(found, Err(DecodeModelError::Unfolds { .. }))
    }

    #[test]
    fn a_million_empty_messages_are_refused_before_they_are_made() {
        let million = |tag| field(tag, &[]).repeat(1_000_000);
        let nodes = |node: &[u8]| field(7, &field(1, node));
        for (what, model) in [
            ("nodes", field(7, &million(1))),
            ("initializers", field(7, &million(5))),
            ("outputs", field(7, &million(12))),
            ("metadata", million(14).repeat(2)),
            ("names of inputs", nodes(&million(1).repeat(2))),
            ("attributes", nodes(&million(5))),
            ("dimensions", nodes(&field(5, &field(8, &[0; 5_000_000])))),
        ] {
            assert!(refused(model), "{what}");
        }
    }

    #[test]
    fn a_model_with_large_weights_is_read_and_they_are_not_copied() {
        let weight = TensorProto {
            raw_data: vec![7; 100 << 20].into(),
            ..TensorProto::default()
        };
        let model = ModelProto {
            graph: Some(GraphProto {
                initializer: vec![weight],
                node: vec![NodeProto::default(); 10_000],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        let bytes = Bytes::from(model.encode_to_vec());
        let read = decode_model(bytes.clone()).unwrap();
        assert_eq!(read.graph.as_ref().map(|it| it.node.len()), Some(10_000));
        let weight = &read.graph.as_ref().unwrap().initializer[0].raw_data;
        assert!(bytes.as_ptr_range().contains(&weight.as_ptr()));
    }

    #[test]
    fn what_is_cut_short_is_malformed() {
        let model = ModelProto {
            producer_name: "x".repeat(100),
            ..ModelProto::default()
        };
        let bytes = Bytes::from(model.encode_to_vec());
        for length in 1..bytes.len() {
            let found = decode_model(bytes.slice(..length));
            assert!(
                matches!(found, Err(DecodeModelError::Malformed(_))),
                "{length}: {found:?}"
            );
        }
    }

    #[test]
    fn graphs_within_graphs_end_somewhere() {
        let mut graph = Vec::new();
        for _ in 0..10_000 {
            graph = field(1, &field(5, &field(6, &graph)));
        }
        let found = decode_model(Bytes::from(field(7, &graph)));
        assert!(matches!(found, Err(DecodeModelError::Malformed(_))));
    }
}
