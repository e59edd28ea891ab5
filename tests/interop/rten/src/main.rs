//! rten: the folder of cases in, a JSON line for each head out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use rten::{Model, Value};
use rten_tensor::prelude::*;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Document {
    head: String,
    model: PathBuf,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    inputs: BTreeMap<String, Tensor>,
    outputs: BTreeMap<String, Tensor>,
}

#[derive(Deserialize)]
struct Tensor {
    shape: Vec<usize>,
    data: Vec<f64>,
}

fn main() -> Result<()> {
    let folder = env::args().nth(1).context("no folder of cases")?;
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut files: Vec<PathBuf> = entries.collect::<Result<_>>()?;
    files.sort();
    for file in files {
        let document: Document = serde_json::from_slice(&fs::read(file)?)?;
        let line = match worst_of_all(&document) {
            Ok(error) => json!({"head": document.head, "error": error}),
            Err(error) => json!({"head": document.head, "reason": format!("{error:#}")}),
        };
        println!("{line}");
    }
    Ok(())
}

fn worst_of_all(document: &Document) -> Result<f64> {
    let model = load(&document.model)?;
    let mut worst = document.cases.iter().map(|case| worst(&model, case));
    worst.try_fold(0.0, |all: f64, one| Ok(all.max(one?)))
}

fn load(path: &Path) -> Result<Model> {
    Ok(Model::load_file(path)?)
}

/// The largest difference of all outputs that transformers gives too, as a share of the largest
/// magnitude.
fn worst(model: &Model, case: &Case) -> Result<f64> {
    let mut inputs = Vec::new();
    for (name, tensor) in &case.inputs {
        let ids = tensor.data.iter().map(|it| *it as i32).collect();
        let value = Value::from_shape(&tensor.shape, ids)?;
        inputs.push((model.node_id(name)?, value.into()));
    }
    let both = case.outputs.iter();
    let (ids, expected): (Vec<_>, Vec<_>) = both
        .filter_map(|(name, expected)| Some((model.find_node(name)?, (name, expected))))
        .unzip();
    ensure!(!ids.is_empty(), "no output is one of transformers'");
    let found = model.run(inputs, &ids, None)?;
    let mut worst: f64 = 0.0;
    for ((name, expected), found) in expected.into_iter().zip(found) {
        let Value::FloatTensor(found) = found else {
            bail!("{name} is not float32");
        };
        worst =
            worst.max(difference(expected, found.shape(), &found.to_vec()).context(name.clone())?);
    }
    Ok(worst)
}

fn difference(expected: &Tensor, shape: &[usize], found: &[f32]) -> Result<f64> {
    ensure!(
        shape == expected.shape,
        "shape {shape:?}, expected {:?}",
        expected.shape
    );
    let mut largest: f64 = 0.0;
    let mut apart: f64 = 0.0;
    for (expected, found) in expected.data.iter().zip(found) {
        ensure!(found.is_finite(), "a number that is none");
        largest = largest.max(expected.abs());
        apart = apart.max((f64::from(*found) - expected).abs());
    }
    Ok(apart / largest)
}
