use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::heads::contract;
use crate::{GraphOption, OwnHead, Role};

/// What stands on top of the encoder; each head is one graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Head {
    /// The encoder and the pooler: `NezhaModel`.
    Base,
    /// Masked language model and next sentence together: `NezhaForPreTraining`.
    Pretraining,
    /// Scores of the vocabulary at every position: `NezhaForMaskedLM`.
    MaskedLm,
    /// Does the second text follow the first: `NezhaForNextSentencePrediction`.
    NextSentence,
    /// A label, several labels or a number for a text: `NezhaForSequenceClassification`.
    SequenceClassification,
    /// The best of several continuations: `NezhaForMultipleChoice`.
    MultipleChoice,
    /// A label for every token: `NezhaForTokenClassification`.
    TokenClassification,
    /// Where an answer starts and ends: `NezhaForQuestionAnswering`.
    QuestionAnswering,
    /// What a [`HeadSpec`](crate::HeadSpec) says.
    Own(&'static OwnHead),
}

impl Head {
    /// transformers' heads, in the order in which they are listed everywhere.
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

    /// The class in transformers 4.46 that this head computes; `None` for one of the user's own.
    pub fn transformers_class(self) -> Option<&'static str> {
        contract(self).transformers_class()
    }

    /// What its output of this role is called.
    pub fn output_name(self, role: Role) -> Cow<'static, str> {
        match (self, role) {
            (Head::Own(own), Role::Own(i)) => own.outputs().nth(i).map_or("", |it| it.name).into(),
            _ => role.name(),
        }
    }

    /// Whether a graph of it can have this option; those that every head has it can.
    pub fn takes(self, option: GraphOption) -> bool {
        let takes = |head| contract(head).options().contains(&option);
        takes(self) || !Self::ALL.into_iter().any(takes)
    }

    /// Whether a text is several sequences, one for each choice, so that the inputs have an axis of
    /// choices.
    pub fn has_choices(self) -> bool {
        contract(self).has_choices()
    }

    /// Whether it takes an encoder's hidden states, where the config says that there is one.
    pub fn has_cross_attention(self) -> bool {
        contract(self).has_cross_attention()
    }

    /// The head that an entry of `architectures` names.
    ///
    /// Case is ignored: a published checkpoint says `NeZhaForMaskedLM`. Huawei's own code calls its
    /// classes `BertForMaskedLM` and so on, which say as well which head there is.
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

/// A name that is no head's.
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
