//! What the Rust runners share: the folder of cases in, a JSON line for each head out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
pub struct Document {
    pub head: String,
    pub model: PathBuf,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
pub struct Case {
    pub inputs: Tensors,
    outputs: Tensors,
}

pub type Tensors = BTreeMap<String, Tensor>;

#[derive(Deserialize)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

impl Tensor {
    pub fn new(shape: &[usize], data: &[f32]) -> Self {
        Self {
            shape: shape.to_vec(),
            data: data.iter().copied().map(f64::from).collect(),
        }
    }

    pub fn ids(&self) -> Vec<i64> {
        self.data.iter().map(|it| *it as i64).collect()
    }
}

/// Loads each head and has it answer its cases.
pub fn run<Model>(
    load: impl Fn(&Document) -> Result<Model>,
    answer: impl Fn(&Model, &Case) -> Result<Tensors>,
) -> Result<()> {
    let folder = env::args().nth(1).context("no folder of cases")?;
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut files: Vec<PathBuf> = entries.collect::<Result<_>>()?;
    files.sort();
    for file in files {
        let document: Document = serde_json::from_slice(&fs::read(file)?)?;
        let error = load(&document).and_then(|model| {
            let mut cases = document.cases.iter();
            cases.try_fold(0.0, |all: f64, case| {
                Ok(all.max(worst(&case.outputs, &answer(&model, case)?)?))
            })
        });
        let line = match error {
            Ok(error) => json!({"head": document.head, "error": error}),
            Err(error) => json!({"head": document.head, "reason": format!("{error:#}")}),
        };
        println!("{line}");
    }
    Ok(())
}

/// The largest difference of all outputs that transformers gives too, as a share of the largest
/// magnitude.
fn worst(expected: &Tensors, found: &Tensors) -> Result<f64> {
    let both = expected.iter();
    let mut both = both
        .filter_map(|(name, expected)| Some((name, expected, found.get(name)?)))
        .peekable();
    ensure!(both.peek().is_some(), "no output is one of transformers'");
    both.try_fold(0.0, |worst: f64, (name, expected, found)| {
        Ok(worst.max(difference(expected, found).context(name.clone())?))
    })
}

fn difference(expected: &Tensor, found: &Tensor) -> Result<f64> {
    ensure!(
        found.shape == expected.shape,
        "shape {:?}, expected {:?}",
        found.shape,
        expected.shape
    );
    let mut largest: f64 = 0.0;
    let mut apart: f64 = 0.0;
    for (expected, found) in expected.data.iter().zip(&found.data) {
        ensure!(found.is_finite(), "a number that is none");
        largest = largest.max(expected.abs());
        apart = apart.max((found - expected).abs());
    }
    Ok(apart / largest)
}
