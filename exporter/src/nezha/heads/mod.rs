//! The heads on top of the encoder, one file for each; [`of`] lists them.

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

use std::collections::BTreeMap;

use nezha_graphs::{Config, GraphOptions, Head, Role};

use super::encoder::Tokens;
use super::inputs::Inputs;
use super::loss::classify;
use crate::graph::{Builder, Scope, Value};

/// Values by role.
pub(crate) type Outputs = BTreeMap<Role, Value>;

/// A head: the graph that it computes, and facts about it.
pub(crate) trait HeadGraph: Sync {
    /// Whether its outputs read only the first token of the last layer.
    fn reads_first_token(&self, _options: &GraphOptions) -> bool {
        false
    }

    /// The head's outputs. There may be more than the signature has: nodes that no output needs are
    /// not written.
    fn outputs(&self, given: &Given) -> Vec<(Role, Value)>;

    /// The loss of its `outputs` against the labels among the inputs; `None` without labels.
    fn loss(&self, s: &Scope, given: &Given, outputs: &Outputs) -> Option<Value> {
        classify(s, given, outputs, Role::Logits, Role::Labels)
    }

    /// The probabilities of its logits.
    fn probabilities(&self, s: &Scope, _given: &Given, logits: Value) -> Value {
        s.softmax(logits)
    }

    /// Whether it reads `classifier.weight`. Several heads do, and only `architectures` tells them
    /// apart.
    fn reads_classifier(&self) -> bool {
        false
    }

    /// The module that the head can do without if a checkpoint lacks it; the outputs that depend on
    /// it are then left out.
    fn optional_module(&self) -> Option<&'static str> {
        None
    }

    /// The stacks that have a class for the head.
    fn stacks(&self) -> &'static [Stack];
}

/// Software that runs transformers' models and has a class of its own for each head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    /// Optimum's `ORTModelFor…`.
    Optimum,
    /// transformers.js.
    TransformersJs,
    /// text-embeddings-inference.
    Tei,
}

/// What is available to a head.
pub(crate) struct Given<'g> {
    /// The graph.
    pub builder: &'g Builder<'g>,
    /// The config of the model.
    pub config: &'g Config,
    /// The options of the graph.
    pub options: &'g GraphOptions,
    /// The graph's inputs.
    pub inputs: &'g Inputs,
    /// The word embeddings, [`vocab_size`, H].
    pub words: Value,
    /// The last layer's output for the [tokens read](tokens_read), [batch, sequence or 1, H].
    pub last_hidden_state: Value,
    /// The output of the embeddings and of each layer, [batch, sequence, H]; the last layer's is
    /// only for the [tokens read](tokens_read).
    pub hidden_states: &'g [Value],
}

/// The implementation of a head.
pub(crate) fn of(head: Head) -> &'static dyn HeadGraph {
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

/// The tokens for which the outputs need the last layer.
pub(crate) fn tokens_read(head: Head, options: &GraphOptions) -> Tokens {
    let reads_first = of(head).reads_first_token(options);
    match reads_first && !options.hidden_states && !options.attentions {
        true => Tokens::First,
        false => Tokens::All,
    }
}

/// The head's outputs, with the loss, the probabilities and the most probable tokens.
pub(crate) fn outputs(head: Head, given: &Given) -> Outputs {
    let head = of(head);
    let mut outputs = Outputs::from_iter(head.outputs(given));
    if given.options.loss
        && let Some(loss) = head.loss(&given.builder.scope("loss"), given, &outputs)
    {
        outputs.insert(Role::Loss, loss);
    }
    if let Some(logits) = outputs.get(&Role::Logits).copied() {
        let s = &given.builder.scope("probabilities");
        let probabilities = head.probabilities(s, given, logits);
        outputs.insert(Role::Probabilities, probabilities);
        if let Some(k) = given.options.top_k {
            let [best, ids] = s.top_k(probabilities, k);
            outputs.insert(Role::TopProbabilities, best);
            outputs.insert(Role::TopIds, ids);
        }
    }
    outputs
}
