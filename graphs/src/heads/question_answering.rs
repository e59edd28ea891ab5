use super::HeadContract;
use crate::ports::Shapes;
use crate::{GraphOption, Port, Role};

/// Where an answer starts and ends.
pub(super) struct QuestionAnswering;

impl HeadContract for QuestionAnswering {
    fn name(&'static self) -> &'static str {
        "question-answering"
    }

    fn transformers_class(&self) -> Option<&'static str> {
        Some("NezhaForQuestionAnswering")
    }

    fn options(&self) -> &'static [GraphOption] {
        &[GraphOption::Loss]
    }

    fn outputs(&self, shapes: &Shapes<'_>) -> Vec<Port> {
        let tokens = shapes.tokens();
        [
            (Role::StartLogits, "scores of: the answer starts here"),
            (Role::EndLogits, "scores of: the answer ends here"),
        ]
        .map(|(role, doc)| Port::float(role, &tokens, doc))
        .to_vec()
    }

    fn labels(&self, shapes: &Shapes<'_>) -> Vec<Port> {
        let doc = "position in the sequence; beyond it is ignored, before it counts as 0";
        [Role::StartPositions, Role::EndPositions]
            .map(|role| Port::int(role, &shapes.texts(), doc))
            .to_vec()
    }
}
