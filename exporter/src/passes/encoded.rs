use std::collections::HashMap;

use crate::graph::{Encoding, Layout, Scope, Value, Weight};

/// Weights in other encodings; each is made once and shared by all its readers.
#[derive(Default)]
pub(super) struct Encoded(HashMap<(Value, Encoding), Value>);

impl Encoded {
    /// The weight `value` in another encoding; `shape` is its shape in the graph.
    pub(super) fn weight(
        &mut self,
        s: &Scope,
        value: Value,
        weight: &Weight,
        encoding: Encoding,
        shape: &[usize],
    ) -> Value {
        let layout = match encoding {
            Encoding::F32 | Encoding::F16 | Encoding::Int8 => weight.layout,
            Encoding::Int8Scales | Encoding::Blocks(_) | Encoding::BlockScales(_) => {
                Layout::AsStored
            }
        };
        let made = || s.builder.weight(&weight.name, layout, encoding, shape);
        *self.0.entry((value, encoding)).or_insert_with(made)
    }
}
