//! The graph's inputs, converted to what the layers expect.

use std::collections::BTreeMap;

use nezha_graphs::{
    AttentionKind, Cached, CachedPart, Config, DType, Head, MaskSource, Port, Role, Signature,
};

use crate::graph::{Builder, Scope, Value};

/// The inputs of a graph.
pub(crate) struct Inputs {
    by_role: BTreeMap<Role, Value>,
    /// Token ids or embedded tokens, one row for each text.
    pub tokens: Value,
    /// int64 [rows, keys], or [rows, sequence, keys] if each token has its own row.
    pub attention_mask: Value,
    /// int64 [rows, sequence]; `None` if all tokens belong to the first text.
    pub token_type_ids: Option<Value>,
    /// What cross-attention reads.
    pub encoder: Option<EncoderInputs>,
}

/// An encoder's output for a decoder.
pub(crate) struct EncoderInputs {
    /// [batch, encoder sequence, H].
    pub hidden_states: Value,
    /// int64 [batch, encoder keys].
    pub attention_mask: Value,
}

impl Inputs {
    /// Declares all inputs of the signature.
    ///
    /// The inputs of multiple choice are [batch, choices, sequence], but the layers get
    /// [batch·choices, sequence]. Integer inputs are converted to int64.
    pub(crate) fn declare(
        builder: &Builder,
        config: &Config,
        head: Head,
        signature: &Signature,
        mask: MaskSource,
    ) -> Option<Self> {
        let ports = signature.inputs.iter();
        let by_role: BTreeMap<Role, Value> = ports
            .map(|port| (port.role, widened(builder, port)))
            .collect();
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
        let tokens = row_per_text(get(Role::TokenIds).or_else(|| get(Role::EmbeddedTokens))?);
        let attention_mask = match mask {
            MaskSource::FromPadding => {
                super::mask::from_padding(&builder.scope("nezha.attention_mask"), config, tokens)
            }
            MaskSource::Pairs => row_per_text(get(Role::SelfAttentionMask)?),
            _ => row_per_text(get(Role::AttentionMask)?),
        };
        Some(Self {
            tokens,
            attention_mask,
            token_type_ids: get(Role::TokenTypes).map(row_per_text),
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

    /// The number of tokens in the cache, int64 [1].
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

/// An input, converted to int64 if it is int32.
fn widened(builder: &Builder, port: &Port) -> Value {
    let input = builder.input(port);
    match port.dtype {
        DType::I32 => builder.scope("inputs").cast(input, DType::I64),
        _ => input,
    }
}

/// Reshapes [batch, choices, …] to [batch·choices, …].
fn merge_choices(s: &Scope, input: Value) -> Value {
    // Flatten would do the same, but tract can't multiply symbols there.
    let rank = s.rank(input);
    let rest = s.shape(input, 2, rank);
    s.reshape_to(input, s.concat(0, &[s.vector(&[-1]), rest]))
}
