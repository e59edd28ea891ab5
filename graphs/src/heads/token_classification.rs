use super::{HeadContract, labels_of_tokens, logits};
use crate::ports::Shapes;
use crate::{GraphOption, Port};

/// A label for every token.
pub(super) struct TokenClassification;

impl HeadContract for TokenClassification {
    fn name(&'static self) -> &'static str {
        "token-classification"
    }

    fn transformers_class(&self) -> Option<&'static str> {
        Some("NezhaForTokenClassification")
    }

    fn options(&self) -> &'static [GraphOption] {
        &[GraphOption::Loss, GraphOption::Probabilities]
    }

    fn outputs(&self, shapes: &Shapes<'_>) -> Vec<Port> {
        let scores = shapes.tokens_by(shapes.config.num_labels());
        logits(shapes, &scores, "scores of the labels, for every token")
    }

    fn labels(&self, shapes: &Shapes<'_>) -> Vec<Port> {
        vec![labels_of_tokens(shapes)]
    }
}
