//! How much memory the messages in some bytes take, counted before any is made.

use std::mem::size_of;

use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};

/// Depth at which prost gives up, too.
const DEEPEST: usize = 100;

/// Elements that a vector has room for as soon as it has one.
const FIRST: usize = 4;

/// The most that an allocator adds to what it is asked for, in bytes.
pub(crate) const OVERHEAD: usize = 32;

/// How often a message counts that every reader describes in a structure of its own.
pub(crate) const DESCRIBED: usize = 4;

/// Fields whose elements are counted have smaller numbers.
const FIELDS: usize = 16;

/// The messages of [`proto`](crate::proto).
#[derive(Clone, Copy)]
pub(crate) enum Kind {
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
    /// A message inside of another.
    Single(Kind),
    /// A message by itself, which the other points to.
    Boxed(Kind),
    /// Messages in a vector.
    Repeated(Kind),
    /// Messages in a vector that become ports, weights and metadata by name.
    Described(Kind),
    /// A text.
    Text,
    /// Texts in a vector.
    Texts,
    /// Numbers in a vector, as many as fit where they are packed.
    Integers,
    Floats,
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

    /// Fields that take room beside the message they are in; contents of tensors and texts of
    /// attributes stay in the file.
    fn field(self, tag: u32) -> Option<Field> {
        use Field::{Boxed, Described, Floats, Integers, Repeated, Single, Text, Texts};
        Some(match (self, tag) {
            (Kind::Model, 7) => Single(Kind::Graph),
            (Kind::Attribute, 5) => Boxed(Kind::Tensor),
            (Kind::Attribute, 6) => Boxed(Kind::Graph),
            (Kind::Model, 8) => Repeated(Kind::OperatorSet),
            (Kind::Model, 14) | (Kind::Tensor, 13) => Described(Kind::Entry),
            (Kind::Graph, 1) => Repeated(Kind::Node),
            (Kind::Graph, 5) => Described(Kind::Tensor),
            (Kind::Graph, 11 | 12) => Described(Kind::ValueInfo),
            (Kind::Graph, 13) => Repeated(Kind::ValueInfo),
            (Kind::Node, 5) => Repeated(Kind::Attribute),
            (Kind::ValueInfo, 2) => Single(Kind::Type),
            (Kind::Type, 1) => Single(Kind::TensorType),
            (Kind::TensorType, 2) => Single(Kind::Shape),
            (Kind::Shape, 1) => Repeated(Kind::Dimension),
            (Kind::Node, 1 | 2) => Texts,
            (Kind::Model, 2 | 3)
            | (Kind::OperatorSet | Kind::Attribute, 1)
            | (Kind::Entry, 1 | 2)
            | (Kind::Graph, 2 | 10)
            | (Kind::Node, 3 | 4 | 7)
            | (Kind::Tensor, 8)
            | (Kind::ValueInfo, 1 | 3)
            | (Kind::Dimension, 2) => Text,
            (Kind::Attribute, 7) => Floats,
            (Kind::Attribute, 8) | (Kind::Tensor, 1) => Integers,
            _ => return None,
        })
    }
}

/// How many elements each repeated field of a message has so far.
#[derive(Default)]
struct Elements([usize; FIELDS]);

impl Elements {
    /// Bytes that a field takes whose content is so long in the file.
    fn room(&mut self, tag: u32, field: &Field, length: usize) -> usize {
        let text = match length {
            0 => 0,
            _ => length.saturating_add(OVERHEAD),
        };
        match field {
            Field::Single(_) => 0,
            Field::Boxed(kind) => kind.size() + OVERHEAD,
            Field::Repeated(kind) => self.growth(tag, 1, kind.size()),
            Field::Described(kind) => self.growth(tag, 1, kind.size() * DESCRIBED),
            Field::Text => text,
            Field::Texts => {
                let string = self.growth(tag, 1, size_of::<String>());
                string.saturating_add(text)
            }
            Field::Integers => self.growth(tag, length, size_of::<i64>()),
            Field::Floats => self.growth(tag, length / size_of::<f32>(), size_of::<f32>()),
        }
    }

    /// Bytes that a number takes which stands by itself.
    fn room_for_number(&mut self, tag: u32, field: &Field) -> usize {
        match field {
            Field::Integers => self.growth(tag, 1, size_of::<i64>()),
            Field::Floats => self.growth(tag, 1, size_of::<f32>()),
            _ => 0,
        }
    }

    /// Bytes that a vector takes more than before with so many further elements of that size.
    fn growth(&mut self, tag: u32, more: usize, size: usize) -> usize {
        let Some(count) = usize::try_from(tag).ok().and_then(|it| self.0.get_mut(it)) else {
            return 0;
        };
        let before = capacity(*count);
        *count = count.saturating_add(more);
        let grown = capacity(*count).saturating_sub(before);
        let allocation = if before == 0 && more > 0 { OVERHEAD } else { 0 };
        grown.saturating_mul(size).saturating_add(allocation)
    }
}

/// What a vector has room for that took so many elements one by one.
fn capacity(count: usize) -> usize {
    match count {
        0 => 0,
        _ => count
            .checked_next_power_of_two()
            .unwrap_or(count)
            .max(FIRST),
    }
}

/// Bytes that are left for messages.
pub(crate) struct Room(usize);

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    #[cfg(test)]
    pub(crate) fn left(&self) -> usize {
        self.0
    }

    /// Whether there is room for all in a message of this kind.
    pub(crate) fn holds(
        &mut self,
        kind: Kind,
        mut bytes: &[u8],
        depth: usize,
    ) -> Result<bool, DecodeError> {
        let mut elements = Elements::default();
        while !bytes.is_empty() {
            let (tag, wire_type) = decode_key(&mut bytes)?;
            let field = kind.field(tag);
            if wire_type != WireType::LengthDelimited {
                if let Some(field) = field
                    && !self.take(elements.room_for_number(tag, &field))
                {
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
            let Some(field) = field else {
                continue;
            };
            let fits = self.take(elements.room(tag, &field, length))
                && match field {
                    Field::Single(kind)
                    | Field::Boxed(kind)
                    | Field::Repeated(kind)
                    | Field::Described(kind) => {
                        depth >= DEEPEST || self.holds(kind, content, depth + 1)?
                    }
                    Field::Text | Field::Texts | Field::Integers | Field::Floats => true,
                };
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}
