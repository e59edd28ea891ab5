//! Checkpoints made for one test, and artifacts read back.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::inspect::read_model;
use nezha_exporter::{ExportError, ExportOptions, Exported, export};
use nezha_graphs::{DType, error_chain};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize_to_file};
use serde_json::{Value, json};
use tempfile::TempDir;
pub(crate) use testkit::fixture_folder as fixture;

/// Tensors of one element type by name: shape and bytes.
pub(crate) type Tensors = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

pub(crate) fn open(folder: &Path) -> Checkpoint {
    Checkpoint::open(folder, &OpenOptions::default())
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

pub(crate) fn try_export(
    checkpoint: &Path,
    target: &Path,
    options: &ExportOptions,
) -> Result<Exported, ExportError> {
    export(&open(checkpoint), target, options)
}

/// Exports what has to succeed.
pub(crate) fn exported(checkpoint: &Path, target: &Path, options: &ExportOptions) -> Exported {
    try_export(checkpoint, target, options)
        .unwrap_or_else(|error| panic!("{}: {error}", checkpoint.display()))
}

/// Exports what has to fail, and gives what the user reads.
pub(crate) fn refusal(checkpoint: &Path, target: &Path, options: &ExportOptions) -> String {
    match try_export(checkpoint, target, options) {
        Ok(exported) => panic!("{}: exported {exported:?}", checkpoint.display()),
        Err(error) => error_chain(&error),
    }
}

/// The names in a folder, sorted; none where there is no folder.
pub(crate) fn listing(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<String> = entries.map(|it| name(it.unwrap())).collect();
    names.sort();
    names
}

/// Every file in a folder with its content.
pub(crate) fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = listing(folder).into_iter();
    names
        .map(|name| {
            let bytes = fs::read(folder.join(&name)).unwrap();
            (name, bytes)
        })
        .collect()
}

/// A copy of a fixture's checkpoint, edited.
pub(crate) fn edited(name: &str, edit: impl FnOnce(&mut Value, &mut Tensors)) -> TempDir {
    let source = fixture(name);
    let config = fs::read(source.join("config.json")).unwrap();
    let mut config = serde_json::from_slice(&config).unwrap();
    let bytes = fs::read(source.join("model.safetensors")).unwrap();
    let stored = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Tensors = stored
        .iter()
        .map(|(name, view)| {
            let tensor = (view.shape().to_vec(), view.data().to_vec());
            (name.to_owned(), tensor)
        })
        .collect();
    edit(&mut config, &mut tensors);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    save(
        &folder.path().join("model.safetensors"),
        Dtype::F32,
        &tensors,
    );
    folder
}

pub(crate) fn save(path: &Path, dtype: Dtype, tensors: &Tensors) {
    let views = tensors.iter().map(|(name, (shape, bytes))| {
        let view = TensorView::new(dtype, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    serialize_to_file(views, None, path).unwrap();
}

/// A tensor of zeros.
pub(crate) fn zeros(shape: &[usize]) -> (Vec<usize>, Vec<u8>) {
    (shape.to_vec(), vec![0; 4 * shape.iter().product::<usize>()])
}

/// A base model without pooler, all zeros, whose weights take no room on disk.
pub(crate) fn sparse(
    vocab_size: usize,
    hidden: usize,
    layers: usize,
    intermediate: usize,
) -> TempDir {
    let mut shapes: Vec<(String, Vec<usize>)> = Vec::new();
    let mut add = |name: String, shape: &[usize]| shapes.push((name, shape.to_vec()));
    let embeddings = "nezha.embeddings";
    add(
        format!("{embeddings}.word_embeddings.weight"),
        &[vocab_size, hidden],
    );
    add(
        format!("{embeddings}.token_type_embeddings.weight"),
        &[2, hidden],
    );
    for kind in ["weight", "bias"] {
        add(format!("{embeddings}.LayerNorm.{kind}"), &[hidden]);
    }
    for layer in 0..layers {
        let layer = format!("nezha.encoder.layer.{layer}");
        for (name, to, from) in [
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", intermediate, hidden),
            ("output.dense", hidden, intermediate),
        ] {
            add(format!("{layer}.{name}.weight"), &[to, from]);
            add(format!("{layer}.{name}.bias"), &[to]);
        }
        for name in ["attention.output.LayerNorm", "output.LayerNorm"] {
            for kind in ["weight", "bias"] {
                add(format!("{layer}.{name}.{kind}"), &[hidden]);
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let config = json!({
        "model_type": "nezha",
        "architectures": ["NezhaModel"],
        "vocab_size": vocab_size,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": intermediate,
    });
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    write_sparse(&folder.path().join("model.safetensors"), &shapes);
    folder
}

fn write_sparse(path: &Path, shapes: &[(String, Vec<usize>)]) {
    let mut end = 0;
    let mut header = serde_json::Map::new();
    for (name, shape) in shapes {
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        let tensor = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] });
        header.insert(name.clone(), tensor);
    }
    let header = Value::Object(header).to_string();
    let mut file = File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes())
        .unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len((8 + header.len() + end) as u64).unwrap();
}

/// What an `.onnx` says of one initializer.
pub(crate) struct Initializer {
    pub dtype: Option<DType>,
    pub shape: Vec<i64>,
    pub bytes: Vec<u8>,
    /// File and offset of one that is not inside.
    pub external: Option<(String, u64)>,
}

/// The initializers of an artifact by name, read from wherever they are.
pub(crate) fn initializers(path: &Path) -> BTreeMap<String, Initializer> {
    let graph = read_model(path).unwrap().graph.unwrap();
    let folder = path.parent().unwrap();
    let tensors = graph.initializer.into_iter();
    tensors
        .map(|tensor| {
            let entry = |key: &str| {
                let mut entries = tensor.external_data.iter();
                let entry = entries.find(|it| it.key == key);
                entry.map(|it| it.value.clone())
            };
            let number = |key: &str| entry(key).unwrap().parse::<usize>().unwrap();
            let external = entry("location").map(|file| (file, number("offset") as u64));
            let bytes = match &external {
                None => tensor.raw_data.to_vec(),
                Some((file, offset)) => {
                    let (start, length) = (*offset as usize, number("length"));
                    fs::read(folder.join(file)).unwrap()[start..start + length].to_vec()
                }
            };
            let initializer = Initializer {
                dtype: DType::from_onnx(tensor.data_type),
                shape: tensor.dims.clone(),
                bytes,
                external,
            };
            (tensor.name, initializer)
        })
        .collect()
}
