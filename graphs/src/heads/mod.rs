//! The inputs and outputs of each head, one file for each; [`contract`] lists the heads.

mod base;
mod masked_lm;
mod multiple_choice;
mod next_sentence;
mod own;
mod pretraining;
mod question_answering;
mod sequence_classification;
mod token_classification;

use crate::ports::Shapes;
use crate::{Dim, GraphOption, Head, Port, Role};

/// The contract of one head.
pub(crate) trait HeadContract: Sync {
    /// The name on the command line, in file names and in metadata.
    fn name(&'static self) -> &'static str;

    /// The class in transformers 4.46 that the head computes, if there is one.
    fn transformers_class(&self) -> Option<&'static str>;

    /// The options that this head has but not every head.
    fn options(&self) -> &'static [GraphOption];

    /// Whether the head reads the pooler's output.
    fn needs_pooler(&self) -> bool {
        false
    }

    /// Whether a text is several sequences, one for each choice.
    fn has_choices(&self) -> bool {
        false
    }

    /// Whether the head has inputs for an encoder's hidden states, if the config has
    /// cross-attention.
    fn has_cross_attention(&self) -> bool {
        false
    }

    /// The head's own outputs, in order.
    fn outputs(&self, shapes: &Shapes<'_>) -> Vec<Port>;

    /// The inputs with the labels that the loss compares the outputs with.
    fn labels(&self, shapes: &Shapes<'_>) -> Vec<Port>;
}

/// The contract of a head.
pub(crate) fn contract(head: Head) -> &'static dyn HeadContract {
    match head {
        Head::Base => &base::Base,
        Head::Pretraining => &pretraining::Pretraining,
        Head::MaskedLm => &masked_lm::MaskedLm,
        Head::NextSentence => &next_sentence::NextSentence,
        Head::SequenceClassification => &sequence_classification::SequenceClassification,
        Head::MultipleChoice => &multiple_choice::MultipleChoice,
        Head::TokenClassification => &token_classification::TokenClassification,
        Head::QuestionAnswering => &question_answering::QuestionAnswering,
        Head::Own(own) => own,
    }
}

/// The doc of a port with scores of the vocabulary.
const VOCABULARY: &str = "scores of the vocabulary, before softmax";
/// The doc of a port with scores of the second text.
const RELATIONSHIP: &str = "scores of: the second text follows, it is random";

/// `logits` of this shape, and `probabilities` if the options ask for them.
fn logits(shapes: &Shapes<'_>, shape: &[Dim], doc: &str) -> Vec<Port> {
    let mut ports = vec![Port::float(Role::Logits, shape, doc)];
    if shapes.options.probabilities {
        ports.push(Port::float(Role::Probabilities, shape, "of the logits"));
    }
    ports
}

/// A label of each token.
fn labels_of_tokens(shapes: &Shapes<'_>) -> Port {
    let doc = "label of each token; -100 is ignored";
    Port::int(Role::Labels, &shapes.tokens(), doc)
}

/// A label of each text.
fn labels_of_texts(role: Role, shapes: &Shapes<'_>) -> Port {
    Port::int(role, &shapes.texts(), "label of each text; -100 is ignored")
}
