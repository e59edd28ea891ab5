//! A conditional random field over the scores of tokens. Its transitions are stored in the
//! metadata, because it is decoded outside of the graph.

use serde::{Deserialize, Serialize};

use super::place::Place;
use super::{HeadSpecError, Tensors};

/// Scores of transitions between labels, from which a path of labels is decoded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Crf {
    /// The module whose tensors are read, with the tensor names of pytorch-crf or of TorchCRF.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The tensor of transitions, `[labels, labels]`, if it is not the module's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transitions: Option<String>,
    /// The tensor of scores of first labels, `[labels]`, if it is not the module's. If there is
    /// neither, the scores are 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The tensor of scores of last labels, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// Which axis of the transitions is which.
    #[serde(skip_serializing_if = "CrfOrientation::is_default")]
    pub orientation: CrfOrientation,
    /// Which tokens the path consists of.
    #[serde(skip_serializing_if = "CrfTokens::is_default")]
    pub tokens: CrfTokens,
    /// The values of the tensors; read from the checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<CrfScores>,
}

/// Which axis of transitions is which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrfOrientation {
    /// From the label of the row to the label of the column, as in pytorch-crf and TorchCRF.
    #[default]
    FromTo,
    /// To the label of the row from the label of the column, as in PyTorch's tutorial.
    ToFrom,
}

/// Which tokens a path consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrfTokens {
    /// All tokens of a sequence, including `[CLS]` and `[SEP]`: for models that were trained with
    /// only padding masked.
    #[default]
    All,
    /// The tokens of the text: for models that were trained without the special tokens.
    Text,
}

/// What a CRF adds to the score of a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CrfScores {
    /// `transitions[from][to]` is added if label `to` follows label `from`.
    pub transitions: Vec<Vec<f32>>,
    /// `start[label]` is added if the path starts with this label.
    pub start: Vec<f32>,
    /// `end[label]` is added if the path ends with this label.
    pub end: Vec<f32>,
}

impl CrfOrientation {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl CrfTokens {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Names that the tensors of a module may have.
const TRANSITIONS: [&str; 2] = ["transitions", "trans_matrix"];
const START: [&str; 2] = ["start_transitions", "start_trans"];
const END: [&str; 2] = ["end_transitions", "end_trans"];

impl Crf {
    /// The CRF of this module.
    pub fn new(module: impl Into<String>) -> Self {
        Self {
            module: Some(module.into()),
            ..Self::default()
        }
    }

    /// Sets which axis of the transitions is which.
    #[must_use]
    pub fn orientation(mut self, orientation: CrfOrientation) -> Self {
        self.orientation = orientation;
        self
    }

    /// Sets which tokens the path consists of.
    #[must_use]
    pub fn tokens(mut self, tokens: CrfTokens) -> Self {
        self.tokens = tokens;
        self
    }

    /// The names of the tensors that are read, if the spec is resolved.
    pub fn tensors(&self) -> impl Iterator<Item = &str> {
        let names = [&self.transitions, &self.start, &self.end];
        names.into_iter().filter_map(|it| it.as_deref())
    }

    /// Reads the tensors.
    pub(super) fn resolve(
        &mut self,
        labels: usize,
        tensors: &dyn Tensors,
        place: &Place,
    ) -> Result<(), HeadSpecError> {
        if let Some(scores) = &self.scores {
            return scores.check(labels, &place.at("scores"));
        }
        if let Some(module) = self.module.take() {
            let there = |names: [&str; 2]| {
                let names = names.map(|name| match module.as_str() {
                    "" => name.to_owned(),
                    module => format!("{module}.{name}"),
                });
                names.into_iter().find(|it| tensors.shape(it).is_some())
            };
            let missing =
                || place.fault(format_args!("the checkpoint has no '{module}.transitions'"));
            if self.transitions.is_none() {
                self.transitions = Some(there(TRANSITIONS).ok_or_else(missing)?);
            }
            self.start = self.start.take().or_else(|| there(START));
            self.end = self.end.take().or_else(|| there(END));
        }
        let Some(transitions) = &self.transitions else {
            return Err(place.fault("neither module nor transitions are named"));
        };
        let read = |name: &str, expected: &[usize]| {
            let shape = place.shape(tensors, name)?;
            if shape != expected {
                return Err(place.fault(format_args!(
                    "tensor '{name}' has shape {shape:?}, expected {expected:?}, one for each label"
                )));
            }
            finite(place.values(tensors, name)?, name, place)
        };
        let matrix = read(transitions, &[labels, labels])?;
        let at = |from: usize, to: usize| match self.orientation {
            CrfOrientation::FromTo => matrix[from * labels + to],
            CrfOrientation::ToFrom => matrix[to * labels + from],
        };
        let side = |name: &Option<String>| match name {
            Some(name) => read(name, &[labels]),
            None => Ok(vec![0.0; labels]),
        };
        self.scores = Some(CrfScores {
            transitions: (0..labels)
                .map(|from| (0..labels).map(|to| at(from, to)).collect())
                .collect(),
            start: side(&self.start)?,
            end: side(&self.end)?,
        });
        Ok(())
    }
}

impl CrfScores {
    fn check(&self, labels: usize, place: &Place) -> Result<(), HeadSpecError> {
        let rows = self.transitions.iter().chain([&self.start, &self.end]);
        let is_square = self.transitions.len() == labels;
        match is_square && rows.into_iter().all(|row| row.len() == labels) {
            true => Ok(()),
            false => Err(place.fault(format_args!("they are not for {labels} labels"))),
        }
    }
}

/// Clamps values to finite floats, because JSON metadata holds only finite numbers: −∞, which
/// forbids a transition, becomes the least float.
fn finite(values: Vec<f32>, name: &str, place: &Place) -> Result<Vec<f32>, HeadSpecError> {
    if values.iter().any(|it| it.is_nan()) {
        return Err(place.fault(format_args!("tensor '{name}' holds a NaN")));
    }
    let bounded = |it: f32| it.clamp(f32::MIN, f32::MAX);
    Ok(values.into_iter().map(bounded).collect())
}
