//! Plans: which rows are in which part, and all that an answer depends on.

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

/// The column that holds whole lines.
const LINE: &str = "line";

/// What a caller asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Paths of files, or patterns such as `in/*.parquet`, whose files are sorted by name.
    pub inputs: Vec<String>,
    /// The output: a file if its ending tells a kind of file, or else a folder.
    pub output: PathBuf,
    /// The format of the files in an output folder; by default that of the inputs.
    pub format: Option<Format>,
    /// A folder that `nezha export` wrote, or an `.onnx` file with the tokenizer beside it.
    pub model: PathBuf,
    /// The task and its options.
    pub asked: Asked,
    /// The columns with text, in the task's order; if empty, the task's default columns.
    pub columns: Vec<String>,
    /// The input's columns that the output keeps.
    pub keep: Keep,
    /// The prefix of the answers' column names.
    pub prefix: String,
    /// The name of a column for the row's number, from 0 over all inputs; `None` for no such
    /// column.
    pub row_index: Option<String>,
    /// Rows of a part, at most.
    pub part_rows: usize,
}

/// The default for the rows of a part: the most that a killed run loses.
pub const PART_ROWS: usize = 8192;

/// The columns of the input that the output keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// All of them.
    #[default]
    All,
    /// These, in the input's order.
    Columns(Vec<String>),
}

/// A plan: made once, then the same for every process that works on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    version: u32,
    /// The files with the rows.
    pub inputs: Vec<Input>,
    /// The output.
    pub output: Output,
    /// The task and its options.
    pub asked: Asked,
    /// The columns with text.
    pub columns: Vec<String>,
    /// The columns of the input to keep, as requested.
    pub keep: Keep,
    /// The prefix of the answers' column names.
    pub prefix: String,
    /// The name of the column for the row's number, if there is one.
    pub row_index: Option<String>,
    /// Rows of a part, at most.
    pub part_rows: usize,
    /// The model and the tokenizer.
    pub model: ModelIdentity,
    /// The engine and its version.
    pub engine: EngineIdentity,
    /// The columns of the input that the output keeps, with their types.
    #[serde(with = "schema")]
    pub kept: SchemaRef,
    /// Whether lines of JSON are kept as they are, with the answers added behind their fields.
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
    /// The file's path on the machine that made the plan.
    pub path: PathBuf,
    /// The file's path relative to the folder of the plan, for a machine that mounts the share
    /// elsewhere.
    pub from_plan: PathBuf,
    /// The file's format.
    pub format: Format,
    /// The file's size in bytes.
    pub size: u64,
    /// The digest of its size and of samples from all over it.
    pub digest: String,
    /// The number of its rows.
    pub rows: u64,
}

/// The output: a file or a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Whether it is a folder with a file for each part.
    pub folder: bool,
    /// The format of the file, or of the files in the folder.
    pub format: Format,
}

/// Rows that are answered and written together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The index of the input.
    pub input: usize,
    /// How many rows.
    pub rows: usize,
    /// Where they start in the input: a byte of the decompressed content, or in Parquet a row.
    pub start: u64,
    /// The digest of the rows' values, if the survey read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// A plan that was read from its file, with the file's digest.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The digest of the plan's file, and so of all that answers depend on; parts carry it.
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

    /// The number of all rows.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|it| it.rows as u64).sum()
    }

    /// The number of rows before a part.
    pub fn rows_before(&self, part: usize) -> u64 {
        let before = self.parts.iter().take(part);
        before.map(|it| it.rows as u64).sum()
    }

    /// The parts of worker `number`, counted from 0, of `of` workers, which get about the same
    /// number of parts.
    pub fn slice(&self, number: usize, of: usize) -> Range<usize> {
        slice(self.parts.len(), number, of.max(1))
    }

    /// The columns of a part's file: the kept columns, the row's number and the answers.
    pub fn schema(&self) -> SchemaRef {
        let index = self.row_index.iter();
        let index = index.map(|name| Arc::new(Field::new(name, DataType::Int64, false)));
        let kept = self.kept.fields().iter().cloned();
        let answers = self.answers.fields().iter().cloned();
        Arc::new(Schema::new(
            kept.chain(index).chain(answers).collect::<Vec<_>>(),
        ))
    }

    /// The plan without its parts.
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

    /// Fails if this plan, made now, differs from the one made before; the parts are not compared.
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

/// The parts of worker `number` of `of` workers.
fn slice(parts: usize, number: usize, of: usize) -> Range<usize> {
    let start = |number: usize| parts * number.min(of) / of;
    start(number)..start(number + 1)
}

/// Values that can be shown as JSON.
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

/// A column name that appears twice in the output.
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
