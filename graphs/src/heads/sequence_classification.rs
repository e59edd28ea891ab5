use super::{HeadContract, labels_of_texts, logits};
use crate::ports::Shapes;
use crate::{GraphOption, Port, ProblemType, Role};

/// A label, several labels or numbers for a text.
pub(super) struct SequenceClassification;

impl HeadContract for SequenceClassification {
    fn name(&'static self) -> &'static str {
        "sequence-classification"
    }

    fn transformers_class(&self) -> Option<&'static str> {
        Some("NezhaForSequenceClassification")
    }

    fn options(&self) -> &'static [GraphOption] {
        &[
            GraphOption::Loss,
            GraphOption::ProblemType,
            GraphOption::Probabilities,
        ]
    }

    fn needs_pooler(&self) -> bool {
        true
    }

    fn outputs(&self, shapes: &Shapes<'_>) -> Vec<Port> {
        let scores = shapes.texts_by(shapes.config.num_labels());
        logits(shapes, &scores, "scores of the labels")
    }

    fn labels(&self, shapes: &Shapes<'_>) -> Vec<Port> {
        let num_labels = shapes.config.num_labels();
        let targets = match shapes.options.effective_problem_type(shapes.config) {
            ProblemType::SingleLabelClassification => {
                return vec![labels_of_texts(Role::Labels, shapes)];
            }
            ProblemType::Regression if num_labels == 1 => shapes.texts(),
            ProblemType::Regression | ProblemType::MultiLabelClassification => {
                shapes.texts_by(num_labels)
            }
        };
        vec![Port::float(Role::Labels, &targets, "target of each label")]
    }
}
