use ndarray::ArrayD;
use nezha_graphs::{ProblemType, Role};

use super::parts::of_pooled;
use super::{Given, HeadReference};
use crate::reference::inputs::{Inputs, floats};
use crate::reference::loss::{class_loss, last_axis};
use crate::reference::{Outputs, ReferenceError, ops};

/// A label, several labels or numbers for a text; `NezhaForSequenceClassification`.
pub(super) struct SequenceClassification;

impl HeadReference for SequenceClassification {
    fn outputs(&self, given: &Given) -> Result<Vec<(Role, ArrayD<f64>)>, ReferenceError> {
        let labels = given.model.config.num_labels();
        Ok(vec![(
            Role::Logits,
            of_pooled(given, "classifier", labels)?,
        )])
    }

    fn loss(
        &self,
        problem_type: ProblemType,
        inputs: &Inputs,
        outputs: &Outputs,
    ) -> Result<Option<f64>, ReferenceError> {
        let logits = &outputs[&*Role::Logits.name()];
        match problem_type {
            ProblemType::SingleLabelClassification => {
                class_loss(inputs, Role::Labels, outputs, Role::Logits)
            }
            ProblemType::Regression => squared_loss(inputs, logits),
            ProblemType::MultiLabelClassification => binary_loss(inputs, logits),
        }
    }

    fn probabilities(&self, problem_type: ProblemType, logits: &ArrayD<f64>) -> ArrayD<f64> {
        match problem_type {
            ProblemType::MultiLabelClassification => logits.mapv(|x| 1.0 / (1.0 + (-x).exp())),
            ProblemType::SingleLabelClassification | ProblemType::Regression => {
                ops::softmax_of_rows(logits)
            }
        }
    }
}

/// Mean of (logit − label)²: PyTorch's `MSELoss`, with squeezed arrays if there is one label.
fn squared_loss(inputs: &Inputs, logits: &ArrayD<f64>) -> Result<Option<f64>, ReferenceError> {
    let (labels, batch) = last_axis(logits);
    let labels = match labels {
        1 => floats(inputs, &Role::Labels.name(), &[batch, logits.shape()])?,
        _ => floats(inputs, &Role::Labels.name(), &[logits.shape()])?,
    };
    Ok(labels.map(|labels| {
        let pairs = logits.iter().zip(labels);
        pairs.map(|(x, y)| (x - y).powi(2)).sum::<f64>() / logits.len() as f64
    }))
}

/// Mean of −y·ln σ(x) − (1 − y)·ln(1 − σ(x)) = max(x, 0) − x·y + ln(1 + exp(−|x|)).
///
/// PyTorch's `BCEWithLogitsLoss`.
fn binary_loss(inputs: &Inputs, logits: &ArrayD<f64>) -> Result<Option<f64>, ReferenceError> {
    let labels = floats(inputs, &Role::Labels.name(), &[logits.shape()])?;
    Ok(labels.map(|labels| {
        let pairs = logits.iter().zip(labels);
        let losses = pairs.map(|(x, y)| x.max(0.0) - x * y + (-x.abs()).exp().ln_1p());
        losses.sum::<f64>() / logits.len() as f64
    }))
}
