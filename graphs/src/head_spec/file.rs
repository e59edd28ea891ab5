use std::fs;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::{HeadSpec, HeadSpecError, Tensors};
use crate::{Config, Head};

/// A spec with the file that it was read from, so that errors can name the line.
#[derive(Clone, Debug)]
pub struct HeadSpecFile {
    path: PathBuf,
    text: String,
    spec: HeadSpec,
}

impl HeadSpecFile {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// [`HeadSpecError::Read`]; [`HeadSpecError::InFile`] around a [`HeadSpecError::Syntax`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, HeadSpecError> {
        let path = path.as_ref().to_owned();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(HeadSpecError::Read { path, source }),
        };
        match parse(&text) {
            Ok(spec) => Ok(Self { path, text, spec }),
            Err(error) => Err(HeadSpecError::InFile {
                path,
                line: None,
                source: Box::new(error),
            }),
        }
    }

    /// The spec in the file, not resolved.
    pub fn spec(&self) -> &HeadSpec {
        &self.spec
    }

    /// Resolves the head for a checkpoint, like [`HeadSpec::resolve`].
    ///
    /// # Errors
    /// [`HeadSpecError::InFile`] with the line of the field.
    pub fn resolve(&self, config: &Config, tensors: &dyn Tensors) -> Result<Head, HeadSpecError> {
        let head = self.spec.clone().resolve(config, tensors);
        head.map_err(|error| HeadSpecError::InFile {
            path: self.path.clone(),
            line: match &error {
                HeadSpecError::Field { field, .. } => line_of(&self.text, field),
                _ => None,
            },
            source: Box::new(error),
        })
    }
}

pub(super) fn parse(text: &str) -> Result<HeadSpec, HeadSpecError> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let (line, column) = position(text, start);
        HeadSpecError::Syntax {
            line,
            column,
            reason: error.message().replace('\n', ", "),
        }
    })
}

/// The line of a field; if the file doesn't have the field, the line of what contains it.
fn line_of(text: &str, field: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let mut start = table.span().start;
    let mut value = DeValue::Table(table.into_inner());
    for part in field.split(['.', '[', ']']).filter(|it| !it.is_empty()) {
        let inner = match (&value, part.parse::<usize>()) {
            (DeValue::Array(list), Ok(i)) => list.get(i),
            (DeValue::Table(table), _) => table.get(part),
            _ => None,
        };
        let Some(inner) = inner.cloned() else {
            break;
        };
        start = inner.span().start;
        value = inner.into_inner();
    }
    Some(position(text, start).0)
}

/// Line and column of a byte position, both from 1.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}
