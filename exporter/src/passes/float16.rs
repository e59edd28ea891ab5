use std::collections::HashMap;

use half::f16;
use nezha_graphs::DType;

use super::encoded::Encoded;
use crate::graph::{Content, Encoding, Graph, Scope, Value};

/// Values converted to the other of the two floating-point types; each is converted once and shared
/// by all its readers.
#[derive(Default)]
pub(super) struct Floats {
    weights: Encoded,
    half: HashMap<Value, Value>,
    single: HashMap<Value, Value>,
}

impl Floats {
    /// `value` in half precision.
    pub(super) fn half(&mut self, s: &Scope, value: Value) -> Value {
        match (s.read(|graph| graph.weight(value)), s.dtype(value)) {
            (Some(weight), _) => {
                let shape = &weight.shape;
                self.weights.weight(s, value, &weight, Encoding::F16, shape)
            }
            (None, DType::F32) => *self.half.entry(value).or_insert_with(|| {
                let constant = half_of_constant(s, value);
                constant.unwrap_or_else(|| place_of(s, value).cast(value, DType::F16))
            }),
            _ => value,
        }
    }

    /// `value` in single precision; a weight is stored in half precision and converted.
    pub(super) fn single(&mut self, s: &Scope, value: Value) -> Value {
        let narrow = match s.read(|graph| graph.weight(value)) {
            Some(_) => self.half(s, value),
            None => value,
        };
        match s.dtype(narrow) {
            DType::F16 => {
                let cast = || place_of(s, narrow).cast(narrow, DType::F32);
                *self.single.entry(value).or_insert_with(cast)
            }
            _ => narrow,
        }
    }
}

/// The scope of the conversion of `value`, which several nodes may read: the scope where `value` is
/// computed, or that of its first reader, `s`.
fn place_of<'g>(s: &Scope<'g>, value: Value) -> Scope<'g> {
    let place = s.read(|graph| graph.place_of(value).map(str::to_owned));
    place.map_or_else(|| s.clone(), |place| s.builder.scope(&place))
}

/// The float32 constant `value` in half precision; `None` if it is not a constant.
fn half_of_constant(s: &Scope, value: Value) -> Option<Value> {
    let converted = |graph: &Graph| {
        let Content::Inline(bytes) = graph.content(value)? else {
            return None;
        };
        let numbers = bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes);
        let bytes = numbers.flat_map(|it| f16::from_f32(it).to_le_bytes());
        let name = format!("{}.float16", graph.value_name(value));
        let shape = graph.value_type(value).fixed_shape()?;
        Some((name, shape, bytes.collect()))
    };
    let (name, shape, bytes) = s.read(converted)?;
    Some(s.builder.constant(name, DType::F16, &shape, bytes, None))
}
