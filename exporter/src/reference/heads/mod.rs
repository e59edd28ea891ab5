//! The heads on top of the encoder: transformers' `NezhaModel` and `NezhaFor…` classes, one file
//! for each; [`of`] lists them.

mod base;
mod masked_lm;
mod multiple_choice;
mod next_sentence;
mod own;
mod parts;
mod pretraining;
mod question_answering;
mod sequence_classification;
mod token_classification;

use ndarray::ArrayD;
use nezha_graphs::{Head, ProblemType, Role};

use super::encoder::Encoded;
use super::inputs::Inputs;
use super::loss::class_loss;
use super::{Outputs, Reference, ReferenceError, ops};

/// The reference of one head.
pub(super) trait HeadReference: Sync {
    /// The head's outputs.
    fn outputs(&self, given: &Given) -> Result<Vec<(Role, ArrayD<f64>)>, ReferenceError>;

    /// The labels that the head's loss reads.
    fn labels(&self) -> &'static [Role] {
        &[Role::Labels]
    }

    /// The head's loss; `None` unless all of its labels are given.
    fn loss(
        &self,
        _problem_type: ProblemType,
        inputs: &Inputs,
        outputs: &Outputs,
    ) -> Result<Option<f64>, ReferenceError> {
        class_loss(inputs, Role::Labels, outputs, Role::Logits)
    }

    /// The probabilities of the head's `logits`.
    fn probabilities(&self, _problem_type: ProblemType, logits: &ArrayD<f64>) -> ArrayD<f64> {
        ops::softmax_of_rows(logits)
    }
}

/// What is available to a head.
pub(super) struct Given<'g> {
    pub(super) model: &'g Reference,
    pub(super) texts: &'g [Encoded],
    /// Number of consecutive texts that belong to one question.
    pub(super) choices: usize,
}

/// The implementation of a head.
pub(super) fn of(head: Head) -> &'static dyn HeadReference {
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

/// The head's own outputs, by name.
pub(super) fn outputs(head: Head, given: &Given) -> Result<Outputs, ReferenceError> {
    let named = of(head).outputs(given)?.into_iter();
    Ok(named
        .map(|(role, array)| (head.output_name(role).into_owned(), array))
        .collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nezha_graphs::{Config, GraphOptions, Signature};

    use super::*;

    #[test]
    fn labels_are_what_the_contract_takes_for_a_loss() {
        let config = Config::from_json(r#"{"model_type": "nezha"}"#).unwrap();
        let inputs = |head, loss| -> BTreeSet<Role> {
            let options = GraphOptions::default().loss(loss);
            let signature = Signature::new(&config, head, &options);
            signature.inputs.iter().map(|port| port.role).collect()
        };
        for head in Head::ALL {
            let added = &inputs(head, true) - &inputs(head, false);
            let labels = BTreeSet::from_iter(of(head).labels().iter().copied());
            assert_eq!(labels, added, "{head}");
        }
    }
}
