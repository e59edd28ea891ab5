//! The graph's inputs, as the layers want them.

use std::collections::BTreeMap;

use nezha_graphs::{Head, Signature};

use crate::graph::{Builder, Scope, Value};

/// The inputs of a graph.
pub struct Inputs {
    by_name: BTreeMap<String, Value>,
    /// `input_ids` or `inputs_embeds`, one row for each text.
    pub tokens: Value,
    /// int64 [rows, keys].
    pub attention_mask: Value,
    /// int64 [rows, sequence].
    pub token_type_ids: Value,
    /// What a decoder attends to besides itself.
    pub encoder: Option<EncoderInputs>,
}

/// What a decoder gets from an encoder.
pub struct EncoderInputs {
    /// [batch, encoder sequence, H].
    pub hidden_states: Value,
    /// int64 [batch, encoder keys].
    pub attention_mask: Value,
}

impl Inputs {
    /// Declares all inputs of the signature.
    ///
    /// Multiple choice is [batch, choices, sequence]; the layers see [batch·choices, sequence].
    pub fn declare(builder: &Builder, head: Head, signature: &Signature) -> Option<Self> {
        let ports = signature.inputs.iter();
        let by_name: BTreeMap<String, Value> = ports
            .map(|port| (port.name.clone(), builder.input(port)))
            .collect();
        let get = |name: &str| by_name.get(name).copied();
        let row_per_text = |input| match head {
            Head::MultipleChoice => merge_choices(&builder.scope("inputs"), input),
            _ => input,
        };
        let encoder = |hidden_states| {
            Some(EncoderInputs {
                hidden_states,
                attention_mask: get("encoder_attention_mask")?,
            })
        };
        Some(Self {
            tokens: row_per_text(get("input_ids").or_else(|| get("inputs_embeds"))?),
            attention_mask: row_per_text(get("attention_mask")?),
            token_type_ids: row_per_text(get("token_type_ids")?),
            encoder: get("encoder_hidden_states").and_then(encoder),
            by_name,
        })
    }

    /// The input called `name`, as declared.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.by_name.get(name).copied()
    }

    /// The head mask of layer `i`, [A, 1, 1].
    pub fn head_mask_of_layer(&self, s: &Scope, i: usize) -> Option<Value> {
        let of_layer = |mask| s.gather(mask, s.int64(i as i64), 0);
        self.get("head_mask")
            .map(|mask| s.unsqueeze(of_layer(mask), &[1, 2]))
    }

    /// How many tokens the cache holds, int64 [1].
    pub fn past_length(&self, s: &Scope) -> Option<Value> {
        self.get("past_key_values.0.key")
            .map(|key| s.shape(key, 2, 3))
    }

    /// The cached keys and values of self-attention in layer `i`.
    pub fn past_of_layer(&self, i: usize) -> Option<[Value; 2]> {
        self.pair(&format!("past_key_values.{i}"))
    }

    /// The cached keys and values of cross-attention in layer `i`.
    pub fn encoder_past_of_layer(&self, i: usize) -> Option<[Value; 2]> {
        self.pair(&format!("past_key_values.{i}.encoder"))
    }

    fn pair(&self, prefix: &str) -> Option<[Value; 2]> {
        let key = self.get(&format!("{prefix}.key"))?;
        Some([key, self.get(&format!("{prefix}.value"))?])
    }
}

/// [batch, choices, …] as [batch·choices, …].
fn merge_choices(s: &Scope, input: Value) -> Value {
    // Flatten would do the same, but tract can't multiply symbols there.
    let rank = s.value_type(input).shape.len();
    let rest = s.shape(input, 2, rank);
    s.reshape_to(input, s.concat(0, &[s.vector(&[-1]), rest]))
}
