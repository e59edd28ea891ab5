//! What is to be done: which rows are in which part, and all that an answer depends on.

mod identity;
mod make;
mod schema;

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

pub use identity::{EngineIdentity, ModelIdentity};

use crate::input::Wanted;
use crate::{Asked, Format, ScoreError, digest};

/// The version of the plan's file.
const VERSION: u32 = 1;

/// The column that holds lines as they are.
const LINE: &str = "line";

/// What a caller wants done.
#[derive(Clone, Debug)]
pub struct Request {
    /// Paths of files, or patterns such as `in/*.parquet`; the files of a pattern in the order of their
    /// names.
    pub inputs: Vec<String>,
    /// A file whose ending says its kind, or else a folder.
    pub output: PathBuf,
    /// The kind of files in the folder; by default the inputs'.
    pub format: Option<Format>,
    /// A folder that `nezha export` wrote, or an `.onnx` file with the tokenizer beside it.
    pub model: PathBuf,
    /// What is asked of it.
    pub asked: Asked,
    /// The columns with text, in the task's order; the task's own names where empty.
    pub columns: Vec<String>,
    /// The input's columns that the output has.
    pub keep: Keep,
    /// What the names of answers start with.
    pub prefix: String,
    /// A column for the row's number over all inputs, from 0.
    pub row_index: Option<String>,
    /// Rows of a part at most.
    pub part_rows: usize,
}

/// Rows of a part where nobody says otherwise: what a kill costs at most.
pub const PART_ROWS: usize = 8192;

/// Columns of the input that the output has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// All of them.
    #[default]
    All,
    /// These, in the input's order.
    Columns(Vec<String>),
}

/// A plan: made once, then the same for everybody who works by it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    version: u32,
    /// The files with the rows.
    pub inputs: Vec<Input>,
    /// Where the result goes.
    pub output: Output,
    /// What is asked.
    pub asked: Asked,
    /// The columns with text.
    pub columns: Vec<String>,
    /// The input's columns that the output has.
    pub keep: Keep,
    /// What the names of answers start with.
    pub prefix: String,
    /// The column for the row's number.
    pub row_index: Option<String>,
    /// Rows of a part at most.
    pub part_rows: usize,
    /// The model and the tokenizer.
    pub model: ModelIdentity,
    /// What computes.
    pub engine: EngineIdentity,
    /// The input's columns that the output has.
    #[serde(with = "schema")]
    pub kept: SchemaRef,
    /// Whether lines of JSON are kept as they are, the answers put behind their fields.
    pub lines: bool,
    /// The columns of answers.
    #[serde(with = "schema")]
    pub answers: SchemaRef,
    /// The parts, in the order of the rows.
    pub parts: Vec<Part>,
}

/// A file with rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The file, as seen by who made the plan.
    pub path: PathBuf,
    /// The file, seen from the folder of the plan: on a machine that has the share elsewhere.
    pub from_plan: PathBuf,
    /// What is in it.
    pub format: Format,
    /// Bytes.
    pub size: u64,
    /// Of its size and of samples all over it.
    pub digest: String,
    /// Rows.
    pub rows: u64,
}

/// Where the result goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Whether it is a folder with a file for each part.
    pub folder: bool,
    /// What the file is, or those in the folder are.
    pub format: Format,
}

/// Rows that are answered together and come into the world together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The number of the input.
    pub input: usize,
    /// How many rows.
    pub rows: usize,
    /// Where they start in the input: a byte of what is inside its compression, in Parquet a row.
    pub start: u64,
    /// Of the rows' values, where the plan's maker read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// A plan's place on disk, and its digest.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Of the plan's file, and so of all that answers depend on: parts carry it.
    pub digest: String,
}

impl Plan {
    /// Reads a plan's file.
    ///
    /// # Errors
    /// [`ScoreError::NoPlan`], [`ScoreError::Read`], [`ScoreError::Plan`].
    pub fn load(path: &Path) -> Result<Planned, ScoreError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(ScoreError::NoPlan {
                    path: path.to_owned(),
                });
            }
            Err(error) => return Err(ScoreError::read(path)(error)),
        };
        let plan: Plan = serde_json::from_slice(&bytes).map_err(|source| ScoreError::Plan {
            path: path.to_owned(),
            source,
        })?;
        Ok(Planned {
            plan,
            digest: digest::of_bytes(&bytes),
        })
    }

    /// All rows.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|it| it.rows as u64).sum()
    }

    /// The rows before a part.
    pub fn rows_before(&self, part: usize) -> u64 {
        let before = self.parts.iter().take(part);
        before.map(|it| it.rows as u64).sum()
    }

    /// The parts of one of `of` workers, who do about as many rows each.
    pub fn slice(&self, number: usize, of: usize) -> Range<usize> {
        slice(self.parts.len(), number, of.max(1))
    }

    /// What a part's file holds: the row's number, the kept columns and the answers.
    pub fn schema(&self) -> SchemaRef {
        let index = self.row_index.iter();
        let index = index.map(|name| Arc::new(Field::new(name, DataType::Int64, false)));
        let kept = self.kept.fields().iter().cloned();
        let answers = self.answers.fields().iter().cloned();
        Arc::new(Schema::new(
            kept.chain(index).chain(answers).collect::<Vec<_>>(),
        ))
    }

    /// All but the parts.
    pub(crate) fn without_parts(&self) -> Self {
        Self {
            parts: Vec::new(),
            ..self.clone()
        }
    }

    pub(crate) fn wanted(&self) -> Wanted {
        Wanted {
            texts: self.columns.clone(),
            kept: self.kept.clone(),
            line_fields: match &self.keep {
                Keep::All => None,
                Keep::Columns(names) => Some(names.clone()),
            },
        }
    }

    /// Fails where this plan, made now, is not the one made before; `parts` is not looked at.
    pub(crate) fn check_same(&self, before: &Self) -> Result<(), ScoreError> {
        fn same<V: PartialEq>(
            what: &str,
            planned: &V,
            now: &V,
            show: impl Fn(&V) -> String,
        ) -> Result<(), ScoreError> {
            match planned == now {
                true => Ok(()),
                false => Err(ScoreError::Differs {
                    what: what.to_owned(),
                    planned: show(planned),
                    now: show(now),
                }),
            }
        }
        let files = |plan: &Self| -> Vec<PathBuf> {
            plan.inputs.iter().map(|it| it.path.clone()).collect()
        };
        same("the inputs", &files(before), &files(self), |it| {
            format!("{} files", it.len())
        })?;
        for (planned, now) in before.inputs.iter().zip(&self.inputs) {
            let content = |it: &Input| (it.size, it.digest.clone());
            let what = now.path.display().to_string();
            same(&what, &content(planned), &content(now), |(size, digest)| {
                format!("{size} bytes of digest {digest}")
            })?;
        }
        before.model.check(&self.model)?;
        before.engine.check(&self.engine)?;
        let text = |value: &dyn erased::Json| value.json();
        same("the task", &before.asked, &self.asked, |it| text(it))?;
        same("the text columns", &before.columns, &self.columns, |it| {
            text(it)
        })?;
        same("the kept columns", &before.keep, &self.keep, |it| text(it))?;
        same("the prefix", &before.prefix, &self.prefix, |it| text(it))?;
        same("the row index", &before.row_index, &self.row_index, |it| {
            text(it)
        })?;
        same("the output", &before.output, &self.output, |it| text(it))?;
        same("rows of a part", &before.part_rows, &self.part_rows, |it| {
            text(it)
        })
    }
}

/// The parts of one of `of` workers.
fn slice(parts: usize, number: usize, of: usize) -> Range<usize> {
    let start = |number: usize| parts * number.min(of) / of;
    start(number)..start(number + 1)
}

/// Values that show themselves as JSON.
mod erased {
    use serde::Serialize;

    pub(super) trait Json {
        fn json(&self) -> String;
    }

    impl<V: Serialize> Json for V {
        fn json(&self) -> String {
            serde_json::to_string(self).unwrap_or_default()
        }
    }
}

/// A name that is twice among those of the output.
fn clash(schema: &Schema) -> Option<&str> {
    let mut seen = BTreeSet::new();
    let mut names = schema.fields().iter().map(|it| it.name().as_str());
    names.find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_in_the_slice_of_one_worker() {
        for parts in 0..40 {
            for of in 1..12 {
                let slices = (0..of).flat_map(|number| slice(parts, number, of));
                assert_eq!(
                    Vec::from_iter(slices),
                    Vec::from_iter(0..parts),
                    "{of} workers"
                );
            }
        }
    }
}
