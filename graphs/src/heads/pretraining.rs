use super::{HeadContract, RELATIONSHIP, VOCABULARY, labels_of_texts, labels_of_tokens};
use crate::ports::Shapes;
use crate::{GraphOption, Port, Role};

/// Masked language model and next sentence together.
pub(super) struct Pretraining;

impl HeadContract for Pretraining {
    fn name(&'static self) -> &'static str {
        "pretraining"
    }

    fn transformers_class(&self) -> Option<&'static str> {
        Some("NezhaForPreTraining")
    }

    fn options(&self) -> &'static [GraphOption] {
        &[GraphOption::Loss]
    }

    fn needs_pooler(&self) -> bool {
        true
    }

    fn outputs(&self, shapes: &Shapes<'_>) -> Vec<Port> {
        let vocabulary = shapes.tokens_by(shapes.config.vocab_size);
        vec![
            Port::float(Role::PredictionLogits, &vocabulary, VOCABULARY),
            Port::float(Role::RelationshipLogits, &shapes.texts_by(2), RELATIONSHIP),
        ]
    }

    fn labels(&self, shapes: &Shapes<'_>) -> Vec<Port> {
        vec![
            labels_of_tokens(shapes),
            labels_of_texts(Role::NextSentenceLabel, shapes),
        ]
    }
}
