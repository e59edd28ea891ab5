use super::{HeadContract, RELATIONSHIP, labels_of_texts, logits};
use crate::ports::Shapes;
use crate::{GraphOption, Port, Role};

/// Whether the second text follows the first.
pub(super) struct NextSentence;

impl HeadContract for NextSentence {
    fn name(&'static self) -> &'static str {
        "next-sentence"
    }

    fn transformers_class(&self) -> Option<&'static str> {
        Some("NezhaForNextSentencePrediction")
    }

    fn options(&self) -> &'static [GraphOption] {
        &[GraphOption::Loss, GraphOption::Probabilities]
    }

    fn needs_pooler(&self) -> bool {
        true
    }

    fn outputs(&self, shapes: &Shapes<'_>) -> Vec<Port> {
        logits(shapes, &shapes.texts_by(2), RELATIONSHIP)
    }

    fn labels(&self, shapes: &Shapes<'_>) -> Vec<Port> {
        vec![labels_of_texts(Role::Labels, shapes)]
    }
}
