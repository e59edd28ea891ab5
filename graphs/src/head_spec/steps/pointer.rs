use serde::{Deserialize, Serialize};

use super::{Linear, MatrixLayout};
use crate::head_spec::place::Place;
use crate::head_spec::{Form, HeadSpecError, Tensors};

/// GlobalPointer ([Su et al., 2022](https://arxiv.org/abs/2208.03054)): a score of each label for
/// each pair of a first and a last token.
///
/// Impossible pairs, which include padding or whose last token is before the first, have the score
/// −∞.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GlobalPointer {
    /// The linear layer, with `2 · size` rows for each label: `size` for first tokens, then `size`
    /// for last tokens.
    pub module: String,
    /// Size of the vectors whose products are the scores; 64 by default.
    #[serde(default = "usual_size")]
    pub size: usize,
    /// Whether rotary positions are applied to the vectors.
    #[serde(default = "yes")]
    pub rotary: bool,
    /// The linear layer, if resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dense: Option<Linear>,
}

/// Efficient GlobalPointer: all labels share one score for each pair of tokens, and each label adds
/// a score of the first token and one of the last token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EfficientGlobalPointer {
    /// The module that has the linear layers `p_dense` and `q_dense`.
    pub module: String,
    /// Whether rotary positions are applied to the vectors.
    #[serde(default = "yes")]
    pub rotary: bool,
    /// The linear layers `p_dense` and `q_dense`, if resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dense: Option<[Linear; 2]>,
}

fn usual_size() -> usize {
    64
}

fn yes() -> bool {
    true
}

impl GlobalPointer {
    /// GlobalPointer with this linear layer and vectors of this size, with rotary positions.
    pub fn new(module: impl Into<String>, size: usize) -> Self {
        Self {
            module: module.into(),
            size,
            rotary: true,
            dense: None,
        }
    }

    /// Removes the rotary positions.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.rotary = false;
        self
    }

    pub(super) fn resolve(
        &mut self,
        form: Form,
        tensors: &dyn Tensors,
        place: &Place,
    ) -> Result<Form, HeadSpecError> {
        let mut dense = self.dense.take().unwrap_or(Linear::new(&self.module));
        let rows = over_tokens(&mut dense, form, tensors, place)?.width();
        let each = 2 * self.size;
        if each == 0 || rows % each != 0 || rows == 0 {
            return Err(place.at("size").fault(format_args!(
                "'{}' gives {rows} numbers, expected a multiple of 2 · {}",
                self.module, self.size
            )));
        }
        check_rotary(self.rotary, self.size, place)?;
        self.dense = Some(dense);
        Ok(Form::Pairs(rows / each))
    }
}

impl EfficientGlobalPointer {
    /// Efficient GlobalPointer of this module, with rotary positions.
    pub fn new(module: impl Into<String>) -> Self {
        Self {
            module: module.into(),
            rotary: true,
            dense: None,
        }
    }

    /// Removes the rotary positions.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.rotary = false;
        self
    }

    /// Size of the vectors whose products are the scores; 0 if the spec is not resolved.
    pub fn size(&self) -> usize {
        self.dense
            .as_ref()
            .map_or(0, |[first, _]| first.outputs() / 2)
    }

    pub(super) fn resolve(
        &mut self,
        form: Form,
        tensors: &dyn Tensors,
        place: &Place,
    ) -> Result<Form, HeadSpecError> {
        let of_module =
            || ["p_dense", "q_dense"].map(|it| Linear::new(format!("{}.{it}", self.module)));
        let [mut first, mut second] = self.dense.take().unwrap_or_else(of_module);
        let vectors = over_tokens(&mut first, form, tensors, place)?;
        let scores = over_tokens(&mut second, vectors, tensors, place)?.width();
        if vectors.width() % 2 != 0 || scores % 2 != 0 || scores == 0 {
            return Err(place.fault(format_args!(
                "'{}' gives {} and {scores} numbers, expected two for each of first and last token",
                self.module,
                vectors.width()
            )));
        }
        check_rotary(self.rotary, vectors.width() / 2, place)?;
        self.dense = Some([first, second]);
        Ok(Form::Pairs(scores / 2))
    }
}

fn over_tokens(
    dense: &mut Linear,
    form: Form,
    tensors: &dyn Tensors,
    place: &Place,
) -> Result<Form, HeadSpecError> {
    match (form, dense.layout) {
        (Form::Tokens(_), MatrixLayout::OutIn) => dense.resolve(form, tensors, place),
        _ => Err(place.fault(format_args!("it reads tokens, not {form}"))),
    }
}

fn check_rotary(rotary: bool, size: usize, place: &Place) -> Result<(), HeadSpecError> {
    match rotary && !size.is_multiple_of(2) {
        true => Err(place.fault(format_args!(
            "rotary positions turn pairs of numbers, and {size} is odd"
        ))),
        false => Ok(()),
    }
}
