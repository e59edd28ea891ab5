use super::{HeadContract, labels_of_texts, logits};
use crate::ports::{Shapes, axes};
use crate::{Dim, GraphOption, Port, Role};

/// The best of several continuations.
pub(super) struct MultipleChoice;

impl HeadContract for MultipleChoice {
    fn name(&'static self) -> &'static str {
        "multiple-choice"
    }

    fn transformers_class(&self) -> Option<&'static str> {
        Some("NezhaForMultipleChoice")
    }

    fn options(&self) -> &'static [GraphOption] {
        &[GraphOption::Loss, GraphOption::Probabilities]
    }

    fn needs_pooler(&self) -> bool {
        true
    }

    fn has_choices(&self) -> bool {
        true
    }

    fn outputs(&self, shapes: &Shapes<'_>) -> Vec<Port> {
        let scores = [Dim::symbol(axes::BATCH), Dim::symbol(axes::CHOICES)];
        logits(shapes, &scores, "scores of the choices")
    }

    fn labels(&self, shapes: &Shapes<'_>) -> Vec<Port> {
        vec![labels_of_texts(Role::Labels, shapes)]
    }
}
