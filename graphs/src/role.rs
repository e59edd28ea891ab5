use std::borrow::Cow;
use std::fmt;

/// What an input or an output is, whatever its name.
///
/// The contract gives each role one [name](Self::name). A port of ours has its role from the head that
/// makes it; a port of another exporter's graph has it [from its name](Self::from_name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Token ids from the vocabulary.
    TokenIds,
    /// Embedded tokens, in place of their ids.
    EmbeddedTokens,
    /// Which tokens may be attended to: 1 for a token, 0 for padding.
    AttentionMask,
    /// Which tokens each token may attend to: 1 where it does, else 0.
    SelfAttentionMask,
    /// Which text of a pair each token is of.
    TokenTypes,
    /// The place of each token; no graph of NEZHA's has it, those of BERT do.
    PositionIds,
    /// What each attention head is multiplied by.
    HeadMask,
    /// Row and column of each token that is scored.
    MaskPositions,
    /// What the encoder gave to a decoder.
    EncoderStates,
    /// Which tokens of the encoder may be attended to.
    EncoderMask,
    /// Keys or values of the tokens before.
    Past(Cached),
    /// The class of each token or text.
    Labels,
    /// Whether the second text follows the first: 0 where it does.
    NextSentenceLabel,
    /// Where the answer starts.
    StartPositions,
    /// Where the answer ends.
    EndPositions,
    /// How far the scores are from the labels.
    Loss,
    /// The scores that the head is for, before softmax.
    Logits,
    /// Scores of the vocabulary, of the head with two kinds of scores.
    PredictionLogits,
    /// Scores of: the second text follows, it is random; of the head with two kinds of scores.
    RelationshipLogits,
    /// Scores of: the answer starts here.
    StartLogits,
    /// Scores of: the answer ends here.
    EndLogits,
    /// Probabilities of what [`Logits`](Self::Logits) scores.
    Probabilities,
    /// The most probable tokens.
    TopIds,
    /// Their probabilities.
    TopProbabilities,
    /// One vector for each text.
    Embeddings,
    /// What the last layer gives.
    LastHiddenState,
    /// The dense layer over the first token.
    PoolerOutput,
    /// What a layer gives; 0 is the embeddings.
    HiddenStates(usize),
    /// The attention probabilities of a layer.
    Attentions(usize, AttentionKind),
    /// Keys or values of the tokens before and of these.
    Present(Cached),
    /// The output of this number of a head of the user's own.
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

/// Which of a decoder's keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cached {
    /// The layer, from 0.
    pub layer: usize,
    /// Of which attention in it.
    pub attention: AttentionKind,
    /// Keys or values.
    pub part: CachedPart,
}

/// The two things that attention caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CachedPart {
    /// What queries are compared with.
    Key,
    /// What is summed.
    Value,
}

impl CachedPart {
    /// Both, in the order of the ports.
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

/// The names of roles that are one port each.
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

/// What the names of the cache's inputs begin with, and of its outputs.
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

    /// The role that the contract gives a port of this name.
    pub fn from_name(name: &str) -> Self {
        if let Some((role, _)) = NAMES.iter().find(|(_, it)| *it == name) {
            return *role;
        }
        of_layer(name).unwrap_or(Role::Other)
    }

    /// The scores that a label chooses from; none for a role that is no label.
    pub fn scores(self) -> &'static [Role] {
        match self {
            Role::Labels => &[Role::Logits, Role::PredictionLogits],
            Role::NextSentenceLabel => &[Role::RelationshipLogits],
            _ => &[],
        }
    }

    /// Whether it is part of a decoder's cache as an input.
    pub fn is_past(self) -> bool {
        matches!(self, Role::Past(_))
    }
}

/// The role of a port that each layer has, of a name such as `present.3.encoder.key`.
fn of_layer(name: &str) -> Option<Role> {
    let (kind, rest) = name.split_once('.')?;
    let number = |text: &str| {
        let number: usize = text.parse().ok()?;
        // `+1` and `01` are other names.
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
    /// What the outputs of its probabilities begin with.
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
