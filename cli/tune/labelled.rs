//! Texts with the answers that are right, and how many of them a model gives.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use nezha_runtime::task::{
    Aggregation, Task, TextClassification, TextClassificationOptions, TokenClassification,
    TokenClassificationOptions,
};
use nezha_runtime::{EngineOptions, Model, Pipeline, Way};
use serde::Deserialize;

/// A file of texts and answers.
pub(super) enum Labelled {
    /// The label of each text.
    Texts(Vec<(String, String)>),
    /// The names in each text.
    Names(Vec<(String, BTreeSet<Name>)>),
}

/// Where a name begins and ends, in characters, and its label.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    start: usize,
    end: usize,
    label: String,
}

/// A line of JSON.
#[derive(Deserialize)]
struct Line {
    text: String,
    label: Option<String>,
    entities: Option<BTreeSet<Name>>,
}

impl Labelled {
    /// Reads `label<TAB>text`, or JSON with `text` and either `label` or `entities`, a line each.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let context = || format!("{}: can't be read", path.display());
        let content = fs::read_to_string(path).with_context(context)?;
        let lines = content.lines().enumerate();
        let lines = lines.filter(|(_, line)| !line.trim().is_empty());
        let (mut texts, mut names) = (Vec::new(), Vec::new());
        for (index, line) in lines {
            let at = format!("{}, line {}", path.display(), index + 1);
            match parse(line).with_context(|| at.clone())? {
                Line {
                    text,
                    label: Some(label),
                    entities: None,
                } => texts.push((text, label)),
                Line {
                    text,
                    label: None,
                    entities: Some(entities),
                } => names.push((text, entities)),
                _ => bail!("{at}: expected either a label or entities"),
            }
        }
        match (texts.is_empty(), names.is_empty()) {
            (false, true) => Ok(Self::Texts(texts)),
            (true, false) => Ok(Self::Names(names)),
            (true, true) => bail!("{}: no line has text", path.display()),
            _ => bail!(
                "{}: some lines have a label, others entities",
                path.display()
            ),
        }
    }

    /// The share of texts whose label is right, or F1 of the names: 2 right / (2 right + wrong + missed).
    pub(super) fn score(
        &self,
        model: &Model,
        way: Way,
        options: &EngineOptions,
    ) -> Result<f64, Box<dyn Error + Send + Sync>> {
        match self {
            Self::Texts(lines) => {
                let one = TextClassificationOptions::default();
                let pipeline = load::<TextClassification>(model, way, options, one)?;
                let answers = pipeline.run(lines.iter().map(|(text, _)| text.as_str()))?;
                let right = answers.iter().zip(lines).filter(|(found, (_, label))| {
                    found.first().is_some_and(|found| found.label == *label)
                });
                Ok(right.count() as f64 / lines.len() as f64)
            }
            Self::Names(lines) => {
                let simple = TokenClassificationOptions::default().aggregation(Aggregation::Simple);
                let pipeline = load::<TokenClassification>(model, way, options, simple)?;
                let answers = pipeline.run(lines.iter().map(|(text, _)| text.as_str()))?;
                let (mut right, mut found_or_expected) = (0, 0);
                for (entities, (_, expected)) in answers.into_iter().zip(lines) {
                    let found: BTreeSet<Name> = entities
                        .into_iter()
                        .map(|it| Name {
                            start: it.start,
                            end: it.end,
                            label: it.label,
                        })
                        .collect();
                    right += found.intersection(expected).count();
                    found_or_expected += found.len() + expected.len();
                }
                // No names at all, and none found.
                Ok(match found_or_expected {
                    0 => 1.0,
                    all => 2.0 * right as f64 / all as f64,
                })
            }
        }
    }
}

/// Reads a line.
fn parse(line: &str) -> Result<Line> {
    if line.trim_start().starts_with('{') {
        return Ok(serde_json::from_str(line)?);
    }
    let (label, text) = line
        .split_once('\t')
        .context("expected a label, a tab and a text, or a JSON object")?;
    Ok(Line {
        text: text.to_owned(),
        label: Some(label.to_owned()),
        entities: None,
    })
}

/// Loads a model for a task, in a way.
fn load<T: Task>(
    model: &Model,
    way: Way,
    options: &EngineOptions,
    task: T::Options,
) -> Result<Pipeline<T>, nezha_runtime::PipelineError> {
    Pipeline::builder()
        .engine(way.engine)
        .engine_options(way.options(options))
        .options(task)
        .load(model.path())
}
