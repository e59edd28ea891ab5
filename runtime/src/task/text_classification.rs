use std::sync::Arc;

use ndarray::Ix1;
use nezha_graphs::head_spec::OutputTask;
use nezha_graphs::{Head, ProblemType, setters};
use serde::{Deserialize, Serialize};

use super::own::Scores;
use super::scores::{best, sigmoid, softmax};
use super::{Row, RowOutputs, Task, TaskError, TaskModel, Text};

/// The labels of a text: transformers' `text-classification`.
#[derive(Debug)]
pub struct TextClassification {
    model: Arc<TaskModel>,
    options: TextClassificationOptions,
}

/// How texts are classified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TextClassificationOptions {
    /// Labels in an answer, the best first; 1 by default, `None` for all.
    pub top_k: Option<usize>,
    /// How logits become scores; `None` for what the model was trained with.
    pub function: Option<ScoreFunction>,
    /// Tokens of a sequence, at most; `None` for the tokenizer's limit.
    pub max_length: Option<usize>,
}

impl TextClassificationOptions {
    setters! {
        top_k: impl Into<Option<usize>>,
        function: impl Into<Option<ScoreFunction>>,
        max_length: impl Into<Option<usize>>,
    }
}

impl Default for TextClassificationOptions {
    fn default() -> Self {
        Self {
            top_k: Some(1),
            function: None,
            max_length: None,
        }
    }
}

/// How logits become scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScoreFunction {
    /// The probabilities of labels that exclude each other.
    Softmax,
    /// A probability for each label by itself.
    Sigmoid,
    /// The logits as they are, such as the outputs of a regression.
    None,
}

/// A label and its score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoredLabel {
    /// The label.
    pub label: String,
    /// Its probability, or the output of a regression.
    pub score: f32,
}

impl Task for TextClassification {
    type Input = Text;
    type Options = TextClassificationOptions;
    type Part = Vec<ScoredLabel>;
    /// The best labels, best first.
    type Answer = Vec<ScoredLabel>;

    const NAME: &'static str = "text-classification";
    const HEADS: &'static [Head] = &[Head::SequenceClassification];

    fn new(model: Arc<TaskModel>, options: TextClassificationOptions) -> Result<Self, TaskError> {
        Ok(Self { model, options })
    }

    fn encode(&self, input: &Text) -> Result<Vec<Row>, TaskError> {
        Ok(vec![self.model.encode(input, self.options.max_length)?])
    }

    fn decode(
        &self,
        _: &Text,
        _: &Row,
        outputs: &RowOutputs<'_>,
    ) -> Result<Vec<ScoredLabel>, TaskError> {
        let labels = self.scores();
        let logits = labels.array::<Ix1>(outputs)?;
        let function = self
            .options
            .function
            .unwrap_or_else(|| self.trained_function());
        let scores = match function {
            ScoreFunction::Softmax => softmax(logits),
            ScoreFunction::Sigmoid => sigmoid(logits),
            ScoreFunction::None => logits.to_vec(),
        };
        let chosen = best(&scores, self.options.top_k.unwrap_or(scores.len()));
        let labelled = |(index, score)| {
            let label = labels.label(index)?.to_owned();
            Ok(ScoredLabel { label, score })
        };
        chosen.into_iter().map(labelled).collect()
    }

    fn join(&self, _: &Text, parts: Vec<Vec<ScoredLabel>>) -> Vec<ScoredLabel> {
        parts.into_iter().flatten().collect()
    }
}

impl TextClassification {
    fn scores(&self) -> Scores<'_> {
        Scores::of(&self.model, OutputTask::TextClassification)
    }

    fn trained_function(&self) -> ScoreFunction {
        match (self.model.config.problem_type, self.scores().len()) {
            (Some(ProblemType::Regression), _) => ScoreFunction::None,
            (Some(ProblemType::MultiLabelClassification), _) | (_, 1) => ScoreFunction::Sigmoid,
            _ => ScoreFunction::Softmax,
        }
    }
}
