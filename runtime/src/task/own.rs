//! What tasks know of a head of the user's own: which of its outputs they decode, and what is scored there.

use ndarray::{ArrayView, Dimension};
use nezha_graphs::head_spec::{Crf, OutputTask, OwnOutput};
use nezha_graphs::{Head, Role};

use super::{RowOutputs, TaskError, TaskModel};

/// Scores of labels: where a graph gives them, and what the labels are called.
#[derive(Debug)]
pub(super) struct Scores<'m> {
    /// The output; the one of [`Role::Logits`] if `None`.
    output: Option<OwnOutput<'static>>,
    labels: &'m [String],
}

impl<'m> Scores<'m> {
    /// Those that the task decodes.
    pub(super) fn of(model: &'m TaskModel, task: OutputTask) -> Self {
        let output = match model.head {
            Head::Own(own) => own.outputs_of(task).next(),
            _ => None,
        };
        Self {
            output,
            labels: output.map_or(&model.config.labels, |it| &it.spec.labels),
        }
    }

    /// The scores of a row.
    ///
    /// # Errors
    /// [`TaskError::Output`] where the graph doesn't give them in this rank.
    pub(super) fn array<'b, D: Dimension>(
        &self,
        outputs: &RowOutputs<'b>,
    ) -> Result<ArrayView<'b, f32, D>, TaskError> {
        match self.output {
            Some(output) => outputs.named(output.name),
            None => outputs.array(Role::Logits),
        }
    }

    /// What decodes the path of labels, where they are no matter of each token by itself.
    pub(super) fn crf(&self) -> Option<&'static Crf> {
        self.output.and_then(|it| it.spec.crf.as_ref())
    }

    /// What the spec says that a score has to be above.
    pub(super) fn threshold(&self) -> Option<f32> {
        self.output.and_then(|it| it.spec.threshold)
    }

    /// How many labels there are.
    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    /// The name of a label.
    ///
    /// # Errors
    /// [`TaskError::Label`] where there is none of this number.
    pub(super) fn label(&self, index: usize) -> Result<&'m str, TaskError> {
        let label = self.labels.get(index).map(String::as_str);
        label.ok_or(TaskError::Label {
            index,
            labels: self.labels.len(),
        })
    }
}
