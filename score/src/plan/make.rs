//! Makes a plan from a request.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};

use super::{EngineIdentity, Input, Keep, LINE, ModelIdentity, Output, Part, Plan, VERSION, clash};
use crate::input::{ChunkLimit, Columns, Inferred, Surveyed, survey, text};
use crate::scorer::Scorer;
use crate::{Format, Kind, Request, ScoreError, digest};

/// The most bytes of a part's rows, including answers: they are held in memory.
const PART_BYTES: u64 = 64 << 20;

impl Plan {
    /// Makes a plan without parts: all that is known before the inputs are read.
    ///
    /// # Errors
    /// [`ScoreError::Pattern`], [`ScoreError::NoFile`], [`ScoreError::Ending`],
    /// [`ScoreError::OutputKind`], [`ScoreError::TextColumns`], [`ScoreError::Read`],
    /// [`ScoreError::Pipeline`], [`ScoreError::Model`].
    pub(crate) fn outline(
        request: &Request,
        scorer: &dyn Scorer,
        folder: &Path,
    ) -> Result<Self, ScoreError> {
        let columns = match request.columns.is_empty() {
            true => request.asked.default_columns(),
            false => request.columns.clone(),
        };
        request.asked.check_columns(columns.len())?;
        let paths = files(&request.inputs)?;
        let inputs = paths.iter().map(|path| input(path, folder));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let output = output(request, &inputs)?;
        let lines = output.format.kind == Kind::JsonLines
            && inputs.iter().all(|it| it.format.kind == Kind::JsonLines);
        let answers = scorer.fields().into_iter().map(|field| {
            let name = format!("{}{}", request.prefix, field.name());
            field.with_name(name)
        });
        Ok(Self {
            version: VERSION,
            inputs,
            output,
            asked: request.asked.clone(),
            columns,
            keep: request.keep.clone(),
            prefix: request.prefix.clone(),
            row_index: request.row_index.clone(),
            part_rows: request.part_rows.max(1),
            model: ModelIdentity::of(&request.model, request.asked.heads())?,
            engine: EngineIdentity::of(scorer.session()),
            kept: Arc::new(Schema::empty()),
            lines,
            answers: Arc::new(Schema::new(answers.collect::<Vec<_>>())),
            parts: Vec::new(),
        })
    }

    /// Surveys the inputs and adds the parts.
    ///
    /// # Errors
    /// [`ScoreError::Content`], [`ScoreError::Parquet`], [`ScoreError::Columns`],
    /// [`ScoreError::NoColumn`], [`ScoreError::Clash`], [`ScoreError::NoRow`].
    pub(crate) fn with_parts(mut self) -> Result<Self, ScoreError> {
        let limit = ChunkLimit {
            rows: self.part_rows,
            bytes: PART_BYTES,
            answer: answer_bytes(&self.answers),
        };
        let mut merged = Merged::default();
        for (number, input) in self.inputs.iter_mut().enumerate() {
            let Surveyed { columns, chunks } = survey(&input.path, input.format, limit)?;
            input.rows = chunks.iter().map(|it| it.rows as u64).sum();
            merged.add(&input.path, columns)?;
            self.parts.extend(chunks.into_iter().map(|chunk| Part {
                input: number,
                rows: chunk.rows,
                start: chunk.start,
                digest: chunk.digest,
            }));
        }
        if self.parts.is_empty() {
            return Err(ScoreError::NoRow);
        }
        let first = self.inputs.first().map(|it| it.path.clone());
        let first = first.unwrap_or_default();
        let columns = merged.schema()?;
        let names = || {
            columns
                .fields()
                .iter()
                .map(|it| it.name().clone())
                .collect()
        };
        let kept_names: &[String] = match &self.keep {
            Keep::All => &[],
            Keep::Columns(names) => names,
        };
        for name in self.columns.iter().chain(kept_names) {
            if columns.field_with_name(name).is_err() {
                return Err(ScoreError::NoColumn {
                    path: first,
                    name: name.clone(),
                    found: names(),
                });
            }
        }
        for name in &self.columns {
            let field = columns.field_with_name(name)?;
            // In JSON lines, each value shows by itself whether it is a text.
            if !self.lines && !text::is_text(field.data_type()) {
                return Err(ScoreError::Columns {
                    path: first,
                    reason: format!("'{name}' has {} values, expected texts", field.data_type()),
                });
            }
        }
        let is_kept = |field: &&Arc<Field>| match &self.keep {
            Keep::All => true,
            Keep::Columns(names) => names.contains(field.name()),
        };
        let kept: Vec<_> = columns.fields().iter().filter(is_kept).cloned().collect();
        self.kept = Arc::new(Schema::new(kept));
        if let Some(name) = clash(&self.schema()) {
            return Err(ScoreError::Clash {
                name: name.to_owned(),
            });
        }
        if self.lines {
            let line = Field::new(LINE, DataType::Utf8, false);
            self.kept = Arc::new(Schema::new(vec![line]));
        }
        Ok(self)
    }
}

/// The columns of all inputs.
#[derive(Default)]
struct Merged {
    typed: Option<Schema>,
    inferred: Vec<(PathBuf, Inferred)>,
}

impl Merged {
    fn add(&mut self, path: &Path, columns: Columns) -> Result<(), ScoreError> {
        match (columns, &self.typed) {
            (Columns::Inferred(fields), _) => self.inferred.push((path.to_owned(), fields)),
            (Columns::Typed(schema), None) => self.typed = Some(schema),
            (Columns::Typed(schema), Some(before)) => {
                if let Some(reason) = difference(before, &schema) {
                    let path = path.to_owned();
                    return Err(ScoreError::Columns { path, reason });
                }
                self.typed = Some(nullable(before, |name| {
                    schema.field_with_name(name).is_ok_and(Field::is_nullable)
                }));
            }
        }
        Ok(())
    }

    /// Columns that the rows of every input fit.
    fn schema(self) -> Result<Schema, ScoreError> {
        let Some(schema) = self.typed else {
            let mut all = Inferred::default();
            self.inferred.iter().for_each(|(_, it)| all.merge(it));
            return Ok(all.schema());
        };
        let mixed = !self.inferred.is_empty();
        let misfit = |(path, fields): (PathBuf, Inferred)| {
            let reason = fields.misfit(&schema)?;
            Some(ScoreError::Columns { path, reason })
        };
        match self.inferred.into_iter().find_map(misfit) {
            Some(error) => Err(error),
            None if mixed => Ok(nullable(&schema, |_| true)),
            None => Ok(schema),
        }
    }
}

/// The same columns; those for which `also` is true become nullable.
fn nullable(schema: &Schema, also: impl Fn(&str) -> bool) -> Schema {
    let fields = schema.fields().iter().map(|field| {
        let nullable = field.is_nullable() || also(field.name());
        field.as_ref().clone().with_nullable(nullable)
    });
    Schema::new(fields.collect::<Vec<_>>())
}

/// How the columns of a file differ from those of the files before it.
fn difference(before: &Schema, now: &Schema) -> Option<String> {
    for field in before.fields() {
        match now.field_with_name(field.name()) {
            Err(_) => {
                return Some(format!(
                    "no column '{}', as other inputs have",
                    field.name()
                ));
            }
            Ok(other) if other.data_type() != field.data_type() => {
                return Some(format!(
                    "'{}' has {} values, in other inputs {}",
                    field.name(),
                    other.data_type(),
                    field.data_type()
                ));
            }
            Ok(_) => {}
        }
    }
    let more = now.fields().iter();
    let mut more = more.filter(|it| before.field_with_name(it.name()).is_err());
    more.next()
        .map(|it| format!("the column '{}' is in no other input", it.name()))
}

/// Bytes that the answer to one row takes, approximately.
fn answer_bytes(answers: &Schema) -> u64 {
    fn of(data_type: &DataType) -> u64 {
        match data_type {
            DataType::FixedSizeList(item, size) => {
                of(item.data_type()) * u64::from(size.unsigned_abs())
            }
            DataType::Struct(fields) => fields.iter().map(|it| of(it.data_type())).sum(),
            DataType::List(item) => 4 * of(item.data_type()),
            DataType::Utf8 => 16,
            _ => 4,
        }
    }
    answers.fields().iter().map(|it| of(it.data_type())).sum()
}

/// The files that paths and patterns name.
fn files(patterns: &[String]) -> Result<Vec<PathBuf>, ScoreError> {
    let mut files: Vec<PathBuf> = Vec::new();
    for pattern in patterns {
        let none = || ScoreError::NoFile {
            pattern: pattern.clone(),
        };
        if Path::new(pattern).is_file() {
            files.push(PathBuf::from(pattern));
            continue;
        }
        let matches = glob::glob(pattern).map_err(|source| ScoreError::Pattern {
            pattern: pattern.clone(),
            source,
        })?;
        let before = files.len();
        files.extend(matches.flatten().filter(|it| it.is_file()));
        if files.len() == before {
            return Err(none());
        }
    }
    Ok(files)
}

fn input(path: &Path, folder: &Path) -> Result<Input, ScoreError> {
    let format = Format::of(path).ok_or_else(|| ScoreError::Ending {
        path: path.to_owned(),
    })?;
    let (size, digest) = digest::of_samples(path)?;
    let path = path.canonicalize().map_err(ScoreError::read(path))?;
    Ok(Input {
        from_plan: relative(&path, folder),
        path,
        format,
        size,
        digest,
        rows: 0,
    })
}

/// A path relative to a folder; both are absolute.
fn relative(path: &Path, folder: &Path) -> PathBuf {
    let shared = path
        .components()
        .zip(folder.components())
        .take_while(|(one, other)| one == other)
        .count();
    let up = folder.components().skip(shared).map(|_| "..");
    let down = path.components().skip(shared);
    up.collect::<PathBuf>().join(down.collect::<PathBuf>())
}

fn output(request: &Request, inputs: &[Input]) -> Result<Output, ScoreError> {
    if let Some(format) = Format::of(&request.output) {
        return Ok(Output {
            folder: false,
            format,
        });
    }
    let mut formats = inputs.iter().map(|it| it.format);
    let first = formats.next();
    let same = first.filter(|first| formats.all(|it| it.kind == first.kind));
    let format = request.format.or(same);
    let format = format.ok_or_else(|| ScoreError::OutputKind {
        path: request.output.clone(),
    })?;
    Ok(Output {
        folder: true,
        format,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_seen_from_a_folder() {
        let seen = |path, folder| relative(Path::new(path), Path::new(folder));
        assert_eq!(
            seen("/share/in/a.csv", "/share/out.parts"),
            Path::new("../in/a.csv")
        );
        assert_eq!(seen("/share/a.csv", "/share"), Path::new("a.csv"));
    }
}
