//! What each head takes and gives: a file each, and [`contract`], the list of them.

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

    /// The options that it has and not every head.
    fn options(&self) -> &'static [GraphOption];

    /// Whether it reads the pooler's output.
    fn needs_pooler(&self) -> bool {
        false
    }

    /// Whether a text is several sequences, one for each choice.
    fn has_choices(&self) -> bool {
        false
    }

    /// Whether it takes an encoder's hidden states, where the config says that there is one.
    fn has_cross_attention(&self) -> bool {
        false
    }

    /// The outputs of its own, in order.
    fn outputs(&self, shapes: &Shapes<'_>) -> Vec<Port>;

    /// The inputs that the loss compares the outputs with.
    fn labels(&self, shapes: &Shapes<'_>) -> Vec<Port>;
}

/// Whose contract a head's is.
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

/// What scores of the vocabulary are documented as.
const VOCABULARY: &str = "scores of the vocabulary, before softmax";
/// What scores of a second text are documented as.
const RELATIONSHIP: &str = "scores of: the second text follows, it is random";

/// `logits` of this shape, and where the options ask for them their probabilities.
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
