//! transformers' answers, as `tests/fixtures/make.py` wrote them, and the comparison with them.
#![allow(
    dead_code,
    reason = "the exporter's tests and the root package's each use a part"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::{ArrayD, IxDyn};
use nezha_graphs::{Head, ProblemType};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

/// A small checkpoint and what it was asked.
pub struct Fixture {
    /// `configuration/head`.
    pub name: String,
    /// Where `config.json` and `model.safetensors` are.
    pub folder: PathBuf,
    /// The head that answered.
    pub head: Head,
    pub cases: Vec<Case>,
}

/// One call of a model.
#[derive(Default)]
pub struct Case {
    pub name: String,
    pub inputs: BTreeMap<String, Tensor>,
    pub outputs: BTreeMap<String, Tensor>,
    /// The loss that was asked for, where `config.json` does not imply it.
    pub problem_type: Option<ProblemType>,
}

#[derive(Clone, Debug)]
pub enum Tensor {
    I64(ArrayD<i64>),
    F32(ArrayD<f32>),
}

/// Every `tests/fixtures/<configuration>/<head>`, in order of their names; panics where there are
/// none or a file is unsound.
pub fn fixtures() -> Vec<Fixture> {
    let root = repository().join("tests/fixtures");
    let mut fixtures: Vec<Fixture> = subfolders(&root)
        .iter()
        // Those are questions to pipelines, with answers of another kind.
        .filter(|folder| folder_name(folder) != "text")
        .flat_map(|configuration| subfolders(configuration))
        .map(|folder| {
            let head = folder_name(&folder);
            Fixture {
                name: format!("{}/{head}", folder_name(folder.parent().unwrap())),
                head: head
                    .parse()
                    .unwrap_or_else(|e| panic!("{}: {e}", folder.display())),
                cases: cases(&folder.join("answers.safetensors")),
                folder,
            }
        })
        .collect();
    assert!(!fixtures.is_empty(), "no fixtures in {}", root.display());
    fixtures.sort_by(|a, b| a.name.cmp(&b.name));
    fixtures
}

/// The bundled checkpoints' folders and what transformers answers to a few Chinese texts; the
/// case's name is the checkpoint's.
pub fn bundled() -> Vec<(PathBuf, Case)> {
    let cases = cases(&repository().join("tests/fixtures/bundled/answers.safetensors"));
    let models = repository().join("models");
    cases
        .into_iter()
        .map(|case| (models.join(&case.name), case))
        .collect()
}

/// Fails unless every element of `actual` is within `tolerance` of `expected`, relative to the
/// largest magnitude in `expected`; returns the worst such error.
///
/// NaN equals NaN in the `loss` alone, where all labels are ignored.
pub fn assert_close<E, A>(
    context: &str,
    name: &str,
    expected: &ArrayD<E>,
    actual: &ArrayD<A>,
    tolerance: f64,
) -> f64
where
    E: Copy + Into<f64>,
    A: Copy + Into<f64>,
{
    assert_eq!(
        actual.shape(),
        expected.shape(),
        "{context}: shape of {name}"
    );
    let largest = expected.iter().fold(0.0, |largest: f64, value| {
        largest.max((*value).into().abs())
    });
    let mut worst = 0.0;
    for ((index, expected), actual) in expected.indexed_iter().zip(actual) {
        let (expected, actual) = ((*expected).into(), (*actual).into());
        if name == "loss" && expected.is_nan() && actual.is_nan() {
            continue;
        }
        let difference = (actual - expected).abs();
        assert!(
            difference <= tolerance * largest,
            "{context}: {name}{:?} is {actual:e}, expected {expected:e}: {difference:e} apart, \
             {tolerance:e} of the largest magnitude {largest:e} allowed",
            ndarray::Dimension::slice(&index),
        );
        worst = f64::max(worst, difference / largest.max(f64::MIN_POSITIVE));
    }
    worst
}

/// The nearest folder above the crate that has the fixtures: both the root package and its member
/// crates include this file.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .find(|folder| folder.join("tests/fixtures").is_dir())
        .expect("a folder tests/fixtures above the crate")
}

fn cases(path: &Path) -> Vec<Case> {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let read = || -> Result<_, safetensors::SafeTensorError> {
        let (_, header) = SafeTensors::read_metadata(&bytes)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        Ok((metadata, SafeTensors::deserialize(&bytes)?))
    };
    let (metadata, tensors) = read().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut cases: BTreeMap<String, Case> = BTreeMap::new();
    for (key, view) in tensors.iter() {
        let parts: Vec<&str> = key.split('/').collect();
        let [case, side, name] = parts[..] else {
            panic!("{}: '{key}' is not case/side/name", path.display());
        };
        let entry = cases.entry(case.to_owned()).or_default();
        let side = match side {
            "inputs" => &mut entry.inputs,
            "outputs" => &mut entry.outputs,
            _ => panic!("{}: '{key}' is no input or output", path.display()),
        };
        side.insert(name.to_owned(), tensor(&view));
        entry.name = case.to_owned();
        entry.problem_type = metadata.get(&format!("{case}/problem_type")).map(|it| {
            it.parse()
                .unwrap_or_else(|()| panic!("problem type '{it}'"))
        });
    }
    cases.into_values().collect()
}

fn tensor(view: &TensorView) -> Tensor {
    let shape = IxDyn(view.shape());
    let data = view.data();
    match view.dtype() {
        Dtype::I64 => {
            let values = data
                .chunks_exact(8)
                .map(|it| i64::from_le_bytes(it.try_into().unwrap()));
            Tensor::I64(ArrayD::from_shape_vec(shape, values.collect()).unwrap())
        }
        Dtype::F32 => {
            let values = data
                .chunks_exact(4)
                .map(|it| f32::from_le_bytes(it.try_into().unwrap()));
            Tensor::F32(ArrayD::from_shape_vec(shape, values.collect()).unwrap())
        }
        other => panic!("fixtures hold int64 and float32, not {other:?}"),
    }
}

/// Subfolders that hold fixtures: a configuration's, or its heads'.
fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect()
}

fn folder_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
