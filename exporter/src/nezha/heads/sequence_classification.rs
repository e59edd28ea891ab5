use nezha_graphs::{Config, GraphOptions, ProblemType, Role};

use super::parts::{classifier, pooler};
use super::{Given, HeadGraph, Outputs, Stack};
use crate::graph::{Scope, Value};
use crate::nezha::loss::classify;

/// A label, several labels or numbers for a text.
pub(super) struct SequenceClassification;

impl HeadGraph for SequenceClassification {
    fn reads_first_token(&self, _options: &GraphOptions) -> bool {
        true
    }

    fn outputs(&self, given: &Given) -> Vec<(Role, Value)> {
        let scores = classifier(given, pooler(given), given.config.num_labels());
        vec![(Role::Logits, scores)]
    }

    fn loss(&self, s: &Scope, given: &Given, outputs: &Outputs) -> Option<Value> {
        let logits = outputs.get(&Role::Logits).copied()?;
        let labels = given.inputs.get(Role::Labels)?;
        match given.options.effective_problem_type(given.config) {
            ProblemType::SingleLabelClassification => {
                classify(s, given, outputs, Role::Logits, Role::Labels)
            }
            ProblemType::Regression => Some(mean_squared_error(s, given.config, logits, labels)),
            ProblemType::MultiLabelClassification => Some(binary_cross_entropy(s, logits, labels)),
        }
    }

    fn probabilities(&self, s: &Scope, given: &Given, logits: Value) -> Value {
        match given.options.effective_problem_type(given.config) {
            ProblemType::MultiLabelClassification => s.sigmoid(logits),
            ProblemType::SingleLabelClassification | ProblemType::Regression => s.softmax(logits),
        }
    }

    fn reads_classifier(&self) -> bool {
        true
    }

    fn stacks(&self) -> &'static [Stack] {
        &[Stack::Optimum, Stack::TransformersJs, Stack::Tei]
    }
}

/// The mean of `(x − y)²`.
fn mean_squared_error(s: &Scope, config: &Config, logits: Value, labels: Value) -> Value {
    let predicted = match config.num_labels() {
        1 => s.squeeze(logits, &[1]),
        _ => logits,
    };
    let difference = s.sub(predicted, labels);
    s.mean_all(s.mul(difference, difference))
}

/// The mean of `−y·log σ(x) − (1 − y)·log σ(−x)`, as `max(x, 0) − x·y + log(1 + e^−|x|)`.
fn binary_cross_entropy(s: &Scope, x: Value, y: Value) -> Value {
    let softplus = s.log(s.add(s.exp(s.neg(s.abs(x))), s.float(1.0)));
    s.mean_all(s.add(s.sub(s.relu(x), s.mul(x, y)), softplus))
}
