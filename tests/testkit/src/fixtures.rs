//! transformers' answers, as `tests/fixtures/make.py` wrote them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::{ArrayD, IxDyn};
use nezha_graphs::{Head, ProblemType};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::repository;

/// A small checkpoint and what it was asked.
#[derive(Debug)]
pub struct Fixture {
    /// `configuration/head`.
    pub name: String,
    /// Where `config.json` and `model.safetensors` are.
    pub folder: PathBuf,
    /// The head that answered.
    pub head: Head,
    /// What it was asked, in order of the names.
    pub cases: Vec<Case>,
}

/// One call of a model.
#[derive(Debug, Default)]
pub struct Case {
    /// What is special about it.
    pub name: String,
    /// What the model was given.
    pub inputs: BTreeMap<String, Tensor>,
    /// What it answered.
    pub outputs: BTreeMap<String, Tensor>,
    /// The loss that was asked for, where `config.json` does not imply it.
    pub problem_type: Option<ProblemType>,
}

impl Case {
    /// Whether it asks for generated tokens, and not for the numbers of one run.
    pub fn is_generation(&self) -> bool {
        self.outputs.contains_key("sequences")
    }

    /// The float32 outputs by name; panics where one is of another type.
    pub fn answers(&self) -> impl Iterator<Item = (&str, &ArrayD<f32>)> {
        self.outputs.iter().map(|(name, tensor)| match tensor {
            Tensor::F32(array) => (name.as_str(), array),
            Tensor::I64(_) => panic!("{}: {name} is no float32", self.name),
        })
    }
}

/// A tensor of a fixture.
#[derive(Clone, Debug)]
pub enum Tensor {
    /// int64.
    I64(ArrayD<i64>),
    /// float32.
    F32(ArrayD<f32>),
}

/// Every `tests/fixtures/<configuration>/<head>`, in order of their names.
///
/// # Panics
/// There are none, or a file is unsound.
pub fn fixtures() -> Vec<Fixture> {
    let root = repository("tests/fixtures");
    let mut fixtures: Vec<Fixture> = subfolders(&root)
        .iter()
        // Those are questions to pipelines, what other frameworks wrote and heads of users' own: answers of
        // other kinds.
        .filter(|folder| !["text", "families", "own-heads"].contains(&folder_name(folder).as_str()))
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

/// The fixture called `configuration/head`.
///
/// # Panics
/// There is none of that name.
pub fn fixture(name: &str) -> Fixture {
    let found = fixtures().into_iter().find(|it| it.name == name);
    found.unwrap_or_else(|| panic!("no fixture '{name}'"))
}

/// Every `tests/fixtures/own-heads/<head>`, in order of their names, and what the code that defines the
/// head answered.
///
/// # Panics
/// There are none, or a file is unsound.
pub fn own_heads() -> Vec<(PathBuf, Vec<Case>)> {
    let root = repository("tests/fixtures/own-heads");
    let mut folders = subfolders(&root);
    assert!(!folders.is_empty(), "no heads in {}", root.display());
    folders.sort();
    let answered = |folder: PathBuf| {
        let cases = cases(&folder.join("answers.safetensors"));
        (folder, cases)
    };
    folders.into_iter().map(answered).collect()
}

/// The bundled checkpoints' folders and what transformers answers to a few Chinese texts; the
/// case's name is the checkpoint's.
pub fn bundled() -> Vec<(PathBuf, Case)> {
    let cases = cases(&repository("tests/fixtures/bundled/answers.safetensors"));
    assert!(!cases.is_empty(), "no answers of the bundled checkpoints");
    let models = repository("models");
    cases
        .into_iter()
        .map(|case| (models.join(&case.name), case))
        .collect()
}

/// Tensors as the reference or an engine takes them.
pub fn tensors<T, C>(tensors: &BTreeMap<String, Tensor>) -> C
where
    T: From<ArrayD<i64>> + From<ArrayD<f32>>,
    C: FromIterator<(String, T)>,
{
    let converted = tensors.iter().map(|(name, tensor)| {
        let tensor = match tensor {
            Tensor::I64(array) => array.clone().into(),
            Tensor::F32(array) => array.clone().into(),
        };
        (name.clone(), tensor)
    });
    converted.collect()
}

/// All tensors of a safetensors file.
pub fn tensors_of(path: &Path) -> BTreeMap<String, Tensor> {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let tensors = SafeTensors::deserialize(&bytes);
    let tensors = tensors.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let named = tensors
        .iter()
        .map(|(name, view)| (name.to_owned(), tensor(&view)));
    named.collect()
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
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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
