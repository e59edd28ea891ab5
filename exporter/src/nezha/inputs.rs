//! The graph's inputs, as the layers want them.

use std::collections::BTreeMap;

use nezha_graphs::{AttentionKind, Cached, CachedPart, Head, Role, Signature};

use crate::graph::{Builder, Scope, Value};

/// The inputs of a graph.
pub(crate) struct Inputs {
    by_role: BTreeMap<Role, Value>,
    /// Token ids or embedded tokens, one row for each text.
    pub tokens: Value,
    /// int64 [rows, keys].
    pub attention_mask: Value,
    /// int64 [rows, sequence].
    pub token_type_ids: Value,
    /// What a decoder attends to besides itself.
    pub encoder: Option<EncoderInputs>,
}

/// What a decoder gets from an encoder.
pub(crate) struct EncoderInputs {
    /// [batch, encoder sequence, H].
    pub hidden_states: Value,
    /// int64 [batch, encoder keys].
    pub attention_mask: Value,
}

impl Inputs {
    /// Declares all inputs of the signature.
    ///
    /// Multiple choice is [batch, choices, sequence]; the layers see [batch·choices, sequence].
    pub(crate) fn declare(builder: &Builder, head: Head, signature: &Signature) -> Option<Self> {
        let ports = signature.inputs.iter();
        let by_role: BTreeMap<Role, Value> =
            ports.map(|port| (port.role, builder.input(port))).collect();
        let get = |role: Role| by_role.get(&role).copied();
        let row_per_text = |input| match head.has_choices() {
            true => merge_choices(&builder.scope("inputs"), input),
            false => input,
        };
        let encoder = |hidden_states| {
            Some(EncoderInputs {
                hidden_states,
                attention_mask: get(Role::EncoderMask)?,
            })
        };
        Some(Self {
            tokens: row_per_text(get(Role::TokenIds).or_else(|| get(Role::EmbeddedTokens))?),
            attention_mask: row_per_text(get(Role::AttentionMask)?),
            token_type_ids: row_per_text(get(Role::TokenTypes)?),
            encoder: get(Role::EncoderStates).and_then(encoder),
            by_role,
        })
    }

    /// The input of this role, as declared.
    pub(crate) fn get(&self, role: Role) -> Option<Value> {
        self.by_role.get(&role).copied()
    }

    /// The head mask of layer `i`, [A, 1, 1].
    pub(crate) fn head_mask_of_layer(&self, s: &Scope, i: usize) -> Option<Value> {
        let of_layer = |mask| s.gather(mask, s.int64(i as i64), 0);
        self.get(Role::HeadMask)
            .map(|mask| s.unsqueeze(of_layer(mask), &[1, 2]))
    }

    /// How many tokens the cache holds, int64 [1].
    pub(crate) fn past_length(&self, s: &Scope) -> Option<Value> {
        let [key, _] = self.past_of_layer(0, AttentionKind::Own)?;
        Some(s.shape(key, 2, 3))
    }

    /// The cached keys and values of an attention in layer `i`.
    pub(crate) fn past_of_layer(&self, i: usize, attention: AttentionKind) -> Option<[Value; 2]> {
        let [key, value] = CachedPart::ALL.map(|part| {
            let layer = i;
            self.get(Role::Past(Cached {
                layer,
                attention,
                part,
            }))
        });
        Some([key?, value?])
    }
}

/// [batch, choices, …] as [batch·choices, …].
fn merge_choices(s: &Scope, input: Value) -> Value {
    // Flatten would do the same, but tract can't multiply symbols there.
    let rank = s.rank(input);
    let rest = s.shape(input, 2, rank);
    s.reshape_to(input, s.concat(0, &[s.vector(&[-1]), rest]))
}
