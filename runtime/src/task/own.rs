//! Heads of the user's own: which of their outputs a task decodes, and with which labels.

use ndarray::{ArrayView, Dimension};
use nezha_graphs::head_spec::{Crf, OutputTask, OwnOutput};
use nezha_graphs::{Head, Role};

use super::{RowOutputs, TaskError, TaskModel};

/// The scores of labels: the output that contains them, and the names of the labels.
#[derive(Debug)]
pub(super) struct Scores<'m> {
    /// The output; if `None`, that of [`Role::Logits`].
    output: Option<OwnOutput<'static>>,
    labels: &'m [String],
}

impl<'m> Scores<'m> {
    /// The scores that the task decodes.
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
    /// [`TaskError::Output`] if the graph has no such output of this rank.
    pub(super) fn array<'b, D: Dimension>(
        &self,
        outputs: &RowOutputs<'b>,
    ) -> Result<ArrayView<'b, f32, D>, TaskError> {
        match self.output {
            Some(output) => outputs.named(output.name),
            None => outputs.array(Role::Logits),
        }
    }

    /// The CRF that decodes the labels of a sequence together, if the spec has one.
    pub(super) fn crf(&self) -> Option<&'static Crf> {
        self.output.and_then(|it| it.spec.crf.as_ref())
    }

    /// The threshold that the spec gives for a score.
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
    /// [`TaskError::Label`] if there is no label with this index.
    pub(super) fn label(&self, index: usize) -> Result<&'m str, TaskError> {
        let label = self.labels.get(index).map(String::as_str);
        label.ok_or(TaskError::Label {
            index,
            labels: self.labels.len(),
        })
    }
}
