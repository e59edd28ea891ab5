//! Computes how much memory encoded messages take, before they are decoded.

use std::mem::size_of;

use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};

/// The depth at which prost gives up too.
const DEEPEST: usize = 100;

/// Elements that a vector reserves memory for when it gets its first.
const FIRST: usize = 4;

/// The most bytes that an allocator adds to an allocation.
pub(crate) const OVERHEAD: usize = 32;

/// Factor for messages for which readers build a structure of their own.
pub(crate) const DESCRIBED: usize = 4;

/// Fields whose elements are counted have lower numbers.
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

/// The content of a field that takes memory of its own.
enum Field {
    /// A message, stored inside of the message that contains it.
    Single(Kind),
    /// A message, boxed.
    Boxed(Kind),
    /// Messages in a vector.
    Repeated(Kind),
    /// Messages in a vector, for which readers build structures: ports, weights, metadata.
    Described(Kind),
    /// A text.
    Text,
    /// Texts in a vector.
    Texts,
    /// Numbers in a vector; a packed field counts as many as could fit.
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

    /// The fields that take memory beside the message they are in. Tensor contents and attribute
    /// strings stay in the file.
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
    /// Memory of a field whose content has this length in the file, in bytes.
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

    /// Memory of a number that is not packed, in bytes.
    fn room_for_number(&mut self, tag: u32, field: &Field) -> usize {
        match field {
            Field::Integers => self.growth(tag, 1, size_of::<i64>()),
            Field::Floats => self.growth(tag, 1, size_of::<f32>()),
            _ => 0,
        }
    }

    /// Additional memory of a vector that gets `more` elements of `size` bytes, in bytes.
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

/// Capacity of a vector to which so many elements were added one by one.
fn capacity(count: usize) -> usize {
    match count {
        0 => 0,
        _ => count
            .checked_next_power_of_two()
            .unwrap_or(count)
            .max(FIRST),
    }
}

/// Memory that is left for messages, in bytes.
pub(crate) struct Room(usize);

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    #[cfg(test)]
    pub(crate) fn left(&self) -> usize {
        self.0
    }

    /// Whether there is enough memory for everything in a message of this kind.
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
                // The message is cut short: prost will report it.
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
