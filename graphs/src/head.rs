use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::heads::contract;
use crate::{GraphOption, OwnHead, Role};

/// What is on top of the encoder. Each head is one graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Head {
    /// The encoder and the pooler: `NezhaModel`.
    Base,
    /// Masked language model and next sentence together: `NezhaForPreTraining`.
    Pretraining,
    /// Scores of the vocabulary at every position: `NezhaForMaskedLM`.
    MaskedLm,
    /// Whether the second text follows the first: `NezhaForNextSentencePrediction`.
    NextSentence,
    /// A label, several labels or a number for a text: `NezhaForSequenceClassification`.
    SequenceClassification,
    /// The best of several continuations: `NezhaForMultipleChoice`.
    MultipleChoice,
    /// A label for every token: `NezhaForTokenClassification`.
    TokenClassification,
    /// Where an answer starts and ends: `NezhaForQuestionAnswering`.
    QuestionAnswering,
    /// A head of the user's own, described by a [`HeadSpec`](crate::HeadSpec).
    Own(&'static OwnHead),
}

impl Head {
    /// transformers' heads, in the order of every list of heads.
    pub const ALL: [Head; 8] = [
        Head::Base,
        Head::Pretraining,
        Head::MaskedLm,
        Head::NextSentence,
        Head::SequenceClassification,
        Head::MultipleChoice,
        Head::TokenClassification,
        Head::QuestionAnswering,
    ];

    /// The name on the command line, in file names and in metadata.
    pub fn name(self) -> &'static str {
        contract(self).name()
    }

    /// The class in transformers 4.46 that this head computes; `None` for a head of the user's own.
    pub fn transformers_class(self) -> Option<&'static str> {
        contract(self).transformers_class()
    }

    /// The name of the head's output of this role.
    pub fn output_name(self, role: Role) -> Cow<'static, str> {
        match (self, role) {
            (Head::Own(own), Role::Own(i)) => own.outputs().nth(i).map_or("", |it| it.name).into(),
            _ => role.name(),
        }
    }

    /// Whether a graph of this head can have this option. An option that no head names is every
    /// head's.
    pub fn takes(self, option: GraphOption) -> bool {
        let takes = |head| contract(head).options().contains(&option);
        takes(self) || !Self::ALL.into_iter().any(takes)
    }

    /// Whether a text is several sequences, one for each choice, so that the inputs have a
    /// `num_choices` axis.
    pub fn has_choices(self) -> bool {
        contract(self).has_choices()
    }

    /// Whether the head has inputs for an encoder's hidden states, if the config has
    /// cross-attention.
    pub fn has_cross_attention(self) -> bool {
        contract(self).has_cross_attention()
    }

    /// The head that an entry of `architectures` names.
    ///
    /// Case is ignored: a published checkpoint says `NeZhaForMaskedLM`. The classes of Huawei's own
    /// code, such as `BertForMaskedLM`, name the head as well and are accepted.
    pub fn from_architecture(architecture: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|head| {
            let class = head.transformers_class().unwrap_or_default();
            let huaweis = class.replacen("Nezha", "Bert", 1);
            [class, &huaweis]
                .iter()
                .any(|it| it.eq_ignore_ascii_case(architecture))
        })
    }

    /// Whether the head reads the pooler's output, so that it needs `pooler.dense`.
    pub fn needs_pooler(self) -> bool {
        contract(self).needs_pooler()
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An unknown head.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown head '{name}'; the heads are {}", Head::ALL.map(Head::name).join(", "))]
pub struct UnknownHead {
    /// The name that was given.
    pub name: String,
}

impl FromStr for Head {
    type Err = UnknownHead;

    fn from_str(name: &str) -> Result<Self, UnknownHead> {
        Self::ALL
            .into_iter()
            .find(|head| head.name() == name)
            .ok_or_else(|| UnknownHead {
                name: name.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_names_its_head_in_transformers_words_and_in_huaweis() {
        for (class, head) in [
            ("NezhaForMaskedLM", Some(Head::MaskedLm)),
            ("NeZhaForPretraining", Some(Head::Pretraining)),
            (
                "BertForSequenceClassification",
                Some(Head::SequenceClassification),
            ),
            ("BertModel", Some(Head::Base)),
            ("NeZhaForSequenceClassificationWithHeadClassMD", None),
            ("MyNezhaClassifier", None),
        ] {
            assert_eq!(Head::from_architecture(class), head, "{class}");
        }
    }
}
