use std::borrow::Cow;
use std::fmt;

/// What an input or an output means, independent of its name.
///
/// The contract gives each role one [name](Self::name). In our graphs, the head defines the role of
/// each port. In graphs of other exporters, the role is taken [from the name](Self::from_name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Token ids from the vocabulary.
    TokenIds,
    /// Embedded tokens instead of token ids.
    EmbeddedTokens,
    /// Which tokens may be attended to: 1 for a token, 0 for padding.
    AttentionMask,
    /// Which tokens each token may attend to: 1 for yes, 0 for no.
    SelfAttentionMask,
    /// Which text of a pair each token belongs to.
    TokenTypes,
    /// The position of each token. No NEZHA graph has this input, but BERT graphs do.
    PositionIds,
    /// The factor of each attention head.
    HeadMask,
    /// Row and column of each token that is scored.
    MaskPositions,
    /// The encoder's hidden states, for a decoder.
    EncoderStates,
    /// Which tokens of the encoder may be attended to: 1 for a token, 0 for padding.
    EncoderMask,
    /// Cached keys or values of the preceding tokens.
    Past(Cached),
    /// The class of each token or text.
    Labels,
    /// Whether the second text follows the first: 0 if it does.
    NextSentenceLabel,
    /// The first token of the answer.
    StartPositions,
    /// The last token of the answer.
    EndPositions,
    /// The loss, which compares the scores with the labels.
    Loss,
    /// The scores of the head, before softmax.
    Logits,
    /// Scores of the vocabulary, from the pretraining head.
    PredictionLogits,
    /// Scores of two classes, "the second text follows" and "it is random", from the pretraining
    /// head.
    RelationshipLogits,
    /// Scores of each token as the first of the answer.
    StartLogits,
    /// Scores of each token as the last of the answer.
    EndLogits,
    /// The probabilities that belong to [`Logits`](Self::Logits).
    Probabilities,
    /// The most probable tokens.
    TopIds,
    /// The probabilities of the most probable tokens.
    TopProbabilities,
    /// One vector for each text.
    Embeddings,
    /// The output of the last layer.
    LastHiddenState,
    /// The pooler's output: `tanh` of a dense layer over the first token.
    PoolerOutput,
    /// The output of layer i − 1; `HiddenStates(0)` is the output of the embeddings.
    HiddenStates(usize),
    /// The attention probabilities of a layer.
    Attentions(usize, AttentionKind),
    /// Keys or values of the preceding and the current tokens.
    Present(Cached),
    /// The output of this index of a head of the user's own.
    Own(usize),
    /// Anything else.
    Other,
}

/// What a layer attends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttentionKind {
    /// The sequence itself.
    Own,
    /// An encoder's tokens.
    Cross,
}

/// Which keys or values of a decoder's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cached {
    /// The layer, from 0.
    pub layer: usize,
    /// The layer's self-attention or cross-attention.
    pub attention: AttentionKind,
    /// Keys or values.
    pub part: CachedPart,
}

/// The two tensors that attention caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CachedPart {
    /// The keys, which queries are compared with.
    Key,
    /// The values, which are summed.
    Value,
}

impl CachedPart {
    /// Both parts, in the order of the ports.
    pub const ALL: [CachedPart; 2] = [CachedPart::Key, CachedPart::Value];

    fn name(self) -> &'static str {
        match self {
            CachedPart::Key => "key",
            CachedPart::Value => "value",
        }
    }
}

impl fmt::Display for CachedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The names of roles that only one port has.
const NAMES: [(Role, &str); 26] = [
    (Role::TokenIds, "input_ids"),
    (Role::EmbeddedTokens, "inputs_embeds"),
    (Role::AttentionMask, "attention_mask"),
    (Role::SelfAttentionMask, "self_attention_mask"),
    (Role::TokenTypes, "token_type_ids"),
    (Role::PositionIds, "position_ids"),
    (Role::HeadMask, "head_mask"),
    (Role::MaskPositions, "mask_positions"),
    (Role::EncoderStates, "encoder_hidden_states"),
    (Role::EncoderMask, "encoder_attention_mask"),
    (Role::Labels, "labels"),
    (Role::NextSentenceLabel, "next_sentence_label"),
    (Role::StartPositions, "start_positions"),
    (Role::EndPositions, "end_positions"),
    (Role::Loss, "loss"),
    (Role::Logits, "logits"),
    (Role::PredictionLogits, "prediction_logits"),
    (Role::RelationshipLogits, "seq_relationship_logits"),
    (Role::StartLogits, "start_logits"),
    (Role::EndLogits, "end_logits"),
    (Role::Probabilities, "probabilities"),
    (Role::TopIds, "top_ids"),
    (Role::TopProbabilities, "top_probabilities"),
    (Role::Embeddings, "embeddings"),
    (Role::LastHiddenState, "last_hidden_state"),
    (Role::PoolerOutput, "pooler_output"),
];

/// Prefixes of the names of the cache's inputs and outputs.
const PAST: &str = "past_key_values";
const PRESENT: &str = "present";
const HIDDEN_STATES: &str = "hidden_states";

impl Role {
    /// The contract's name for a port of this role; empty for [`Role::Other`].
    pub fn name(self) -> Cow<'static, str> {
        match self {
            Role::Past(cached) => cached.name(PAST).into(),
            Role::Present(cached) => cached.name(PRESENT).into(),
            Role::HiddenStates(i) => format!("{HIDDEN_STATES}.{i}").into(),
            Role::Attentions(layer, attention) => format!("{}.{layer}", attention.outputs()).into(),
            _ => NAMES
                .iter()
                .find(|(role, _)| *role == self)
                .map_or("", |(_, name)| name)
                .into(),
        }
    }

    /// The role that the contract has for a port of this name, or [`Role::Other`].
    pub fn from_name(name: &str) -> Self {
        if let Some((role, _)) = NAMES.iter().find(|(_, it)| *it == name) {
            return *role;
        }
        of_layer(name).unwrap_or(Role::Other)
    }

    /// The scores that a label refers to; empty for roles that are not labels.
    pub fn scores(self) -> &'static [Role] {
        match self {
            Role::Labels => &[Role::Logits, Role::PredictionLogits],
            Role::NextSentenceLabel => &[Role::RelationshipLogits],
            _ => &[],
        }
    }

    /// Whether it is an input with cached keys or values.
    pub fn is_past(self) -> bool {
        matches!(self, Role::Past(_))
    }
}

/// The role of a port that each layer has, from a name such as `present.3.encoder.key`.
fn of_layer(name: &str) -> Option<Role> {
    let (kind, rest) = name.split_once('.')?;
    let number = |text: &str| {
        let number: usize = text.parse().ok()?;
        // `+1` and `01` parse as numbers, but are not names of ours.
        (number.to_string() == text).then_some(number)
    };
    if kind == HIDDEN_STATES {
        return Some(Role::HiddenStates(number(rest)?));
    }
    for attention in [AttentionKind::Own, AttentionKind::Cross] {
        if kind == attention.outputs() {
            return Some(Role::Attentions(number(rest)?, attention));
        }
    }
    let (layer, rest) = rest.split_once('.')?;
    let (attention, part) = match rest.strip_prefix("encoder.") {
        Some(part) => (AttentionKind::Cross, part),
        None => (AttentionKind::Own, rest),
    };
    let cached = Cached {
        layer: number(layer)?,
        attention,
        part: CachedPart::ALL.into_iter().find(|it| it.name() == part)?,
    };
    match kind {
        PAST => Some(Role::Past(cached)),
        PRESENT => Some(Role::Present(cached)),
        _ => None,
    }
}

impl AttentionKind {
    /// Prefix of the names of its outputs with attention probabilities.
    fn outputs(self) -> &'static str {
        match self {
            AttentionKind::Own => "attentions",
            AttentionKind::Cross => "cross_attentions",
        }
    }
}

impl Cached {
    fn name(self, kind: &str) -> String {
        let Self {
            layer,
            attention,
            part,
        } = self;
        match attention {
            AttentionKind::Own => format!("{kind}.{layer}.{}", part.name()),
            AttentionKind::Cross => format!("{kind}.{layer}.encoder.{}", part.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_its_role_and_the_role_the_name() {
        let cached = |layer, attention, part| Cached {
            layer,
            attention,
            part,
        };
        for (name, role) in [
            ("input_ids", Role::TokenIds),
            ("hidden_states.0", Role::HiddenStates(0)),
            ("attentions.11", Role::Attentions(11, AttentionKind::Own)),
            (
                "cross_attentions.2",
                Role::Attentions(2, AttentionKind::Cross),
            ),
            (
                "past_key_values.3.key",
                Role::Past(cached(3, AttentionKind::Own, CachedPart::Key)),
            ),
            (
                "present.0.encoder.value",
                Role::Present(cached(0, AttentionKind::Cross, CachedPart::Value)),
            ),
        ] {
            assert_eq!(Role::from_name(name), role, "{name}");
            assert_eq!(role.name(), name, "{role:?}");
        }
        for (role, name) in NAMES {
            assert_eq!(Role::from_name(name), role, "{name}");
            assert_eq!(role.name(), name, "{role:?}");
        }
    }

    #[test]
    fn a_name_that_only_looks_like_one_of_ours_is_another() {
        for name in [
            "",
            "ids",
            "logits.0",
            "hidden_states",
            "hidden_states.",
            "hidden_states.01",
            "attentions.+1",
            "present.0.query",
            "present.key",
            "past_key_values.0.decoder.key",
        ] {
            assert_eq!(Role::from_name(name), Role::Other, "{name}");
        }
        assert_eq!(Role::Other.name(), "");
    }
}
