//! TensorFlow bundles and safetensors files, made for a test.
#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use std::fs;
use std::path::Path;

use nezha_exporter::checkpoint::{Checkpoint, CheckpointError, OpenOptions, Storage};
use prost::Message;
use sstable::{CompressionType, Options, TableBuilder};

/// A tensor as a test writes it.
#[derive(Clone)]
pub(crate) struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub storage: Storage,
    /// Row-major, little-endian.
    pub bytes: Vec<u8>,
}

impl Tensor {
    pub(crate) fn f32(name: &str, shape: &[usize], values: &[f32]) -> Self {
        Self {
            name: name.to_owned(),
            shape: shape.to_vec(),
            storage: Storage::F32,
            bytes: values.iter().flat_map(|it| it.to_le_bytes()).collect(),
        }
    }

    /// The matrix with its columns as rows.
    pub(crate) fn transposed(&self) -> Self {
        let &[rows, columns] = self.shape.as_slice() else {
            panic!("{} is no matrix", self.name);
        };
        let size = self.storage.size();
        let element =
            |row: usize, column: usize| &self.bytes[(row * columns + column) * size..][..size];
        let bytes = (0..columns)
            .flat_map(|column| (0..rows).flat_map(move |row| element(row, column).to_vec()));
        Self {
            shape: vec![columns, rows],
            bytes: bytes.collect(),
            ..self.clone()
        }
    }

    pub(crate) fn named(&self, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..self.clone()
        }
    }
}

/// All weights of a checkpoint.
pub(crate) fn tensors_of(path: &Path) -> Vec<Tensor> {
    let checkpoint = open(path);
    let tensors = checkpoint.weights().iter().map(|weight| Tensor {
        name: weight.name.clone(),
        shape: weight.shape.clone(),
        storage: weight.storage,
        bytes: checkpoint.bytes(&weight.name).unwrap().to_vec(),
    });
    tensors.collect()
}

pub(crate) fn write_safetensors(path: &Path, tensors: &[Tensor]) {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::<u8>::new());
    for tensor in tensors {
        let start = data.len();
        data.extend(&tensor.bytes);
        header.insert(
            tensor.name.clone(),
            serde_json::json!({"dtype": tensor.storage.name(), "shape": tensor.shape, "data_offsets": [start, data.len()]}),
        );
    }
    let header = serde_json::Value::Object(header).to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(data);
    fs::write(path, file).unwrap();
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Header {
    #[prost(int32, tag = "1")]
    pub shards: i32,
    #[prost(int32, tag = "2")]
    pub endianness: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Entry {
    #[prost(int32, tag = "1")]
    pub dtype: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
    #[prost(int32, tag = "3")]
    pub shard: i32,
    #[prost(int64, tag = "4")]
    pub offset: i64,
    #[prost(int64, tag = "5")]
    pub size: i64,
    #[prost(fixed32, tag = "6")]
    pub checksum: u32,
    #[prost(bytes = "vec", repeated, tag = "7")]
    pub slices: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Shape {
    #[prost(message, repeated, tag = "2")]
    pub dimensions: Vec<Dimension>,
    #[prost(bool, tag = "3")]
    pub unknown: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Dimension {
    #[prost(int64, tag = "1")]
    pub size: i64,
}

/// A bundle before it is written, so that a test can make it lie.
pub(crate) struct Bundle {
    pub header: Header,
    pub entries: Vec<(String, Entry)>,
    pub shards: Vec<Vec<u8>>,
    pub compressed: bool,
}

impl Bundle {
    /// The tensors in `shards` files, one after the other.
    pub(crate) fn new(tensors: &[Tensor], shards: usize) -> Self {
        let mut files = vec![Vec::new(); shards];
        let mut entries: Vec<(String, Entry)> = tensors
            .iter()
            .enumerate()
            .map(|(number, tensor)| {
                let shard = number % shards;
                let offset = files[shard].len();
                files[shard].extend(&tensor.bytes);
                let dimensions = tensor.shape.iter().map(|it| Dimension { size: *it as i64 });
                let entry = Entry {
                    dtype: match tensor.storage {
                        Storage::F32 => 1,
                        Storage::F64 => 2,
                        Storage::BF16 => 14,
                        Storage::F16 => 19,
                    },
                    shape: Some(Shape {
                        dimensions: dimensions.collect(),
                        unknown: false,
                    }),
                    shard: shard as i32,
                    offset: offset as i64,
                    size: tensor.bytes.len() as i64,
                    checksum: masked(crc32c::crc32c(&tensor.bytes)),
                    slices: Vec::new(),
                };
                (tensor.name.clone(), entry)
            })
            .collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Self {
            header: Header {
                shards: shards as i32,
                endianness: 0,
            },
            entries,
            shards: files,
            compressed: false,
        }
    }

    pub(crate) fn entry(&mut self, name: &str) -> &mut Entry {
        let entry = self.entries.iter_mut().find(|it| it.0 == name);
        &mut entry.unwrap_or_else(|| panic!("no {name}")).1
    }

    /// The bytes of the index, as another LevelDB writes them.
    pub(crate) fn index(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let options = Options {
            compression_type: match self.compressed {
                true => CompressionType::CompressionSnappy,
                false => CompressionType::CompressionNone,
            },
            block_size: 512,
            ..Options::default()
        };
        let mut table = TableBuilder::new_no_filter(options, &mut bytes);
        table.add(b"", &self.header.encode_to_vec()).unwrap();
        for (name, entry) in &self.entries {
            table.add(name.as_bytes(), &entry.encode_to_vec()).unwrap();
        }
        table.finish().unwrap();
        bytes
    }

    pub(crate) fn write(&self, prefix: &Path) {
        let name = prefix.file_name().unwrap().to_str().unwrap();
        fs::write(prefix.with_file_name(format!("{name}.index")), self.index()).unwrap();
        for (number, bytes) in self.shards.iter().enumerate() {
            let shard = format!("{name}.data-{number:05}-of-{:05}", self.shards.len());
            fs::write(prefix.with_file_name(shard), bytes).unwrap();
        }
    }
}

pub(crate) fn masked(checksum: u32) -> u32 {
    checksum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The names of Huawei's TensorFlow code for transformers' ones, and whether a matrix is turned.
pub(crate) fn tensorflow_name(name: &str) -> (String, bool) {
    let kernel =
        name.ends_with(".weight") && (name.contains("dense") || name.contains("attention.self"));
    let renamed = match name {
        "cls.predictions.bias" => "cls.predictions.output_bias".to_owned(),
        "cls.seq_relationship.weight" => "cls.seq_relationship.output_weights".to_owned(),
        "cls.seq_relationship.bias" => "cls.seq_relationship.output_bias".to_owned(),
        name if name.ends_with("_embeddings.weight") => name.trim_end_matches(".weight").to_owned(),
        name if kernel => name.replace(".weight", ".kernel"),
        name if name.contains("LayerNorm") => {
            name.replace(".weight", ".gamma").replace(".bias", ".beta")
        }
        name => name.to_owned(),
    };
    let renamed = renamed
        .replace("nezha.", "bert.")
        .replace("layer.", "layer_");
    (renamed.replace('.', "/"), kernel)
}

/// A checkpoint's weights as TensorFlow has them.
pub(crate) fn as_tensorflow(tensors: &[Tensor]) -> Vec<Tensor> {
    let renamed = tensors
        .iter()
        .map(|tensor| match tensorflow_name(&tensor.name) {
            (name, true) => tensor.transposed().named(name),
            (name, false) => tensor.named(name),
        });
    renamed.collect()
}

pub(crate) fn open(path: &Path) -> Checkpoint {
    open_with(path, &OpenOptions::default())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn open_with(path: &Path, options: &OpenOptions) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::open(path, options)
}

/// The error of opening what should not open.
#[track_caller]
pub(crate) fn refused(path: &Path, options: &OpenOptions) -> String {
    match Checkpoint::open(path, options) {
        Ok(found) => panic!("{} was opened: {:?}", path.display(), found.notes()),
        Err(error) => nezha_graphs::error_chain(&error),
    }
}

#[track_caller]
pub(crate) fn assert_says(said: &str, needles: &[&str]) {
    for needle in needles {
        assert!(said.contains(needle), "expected '{needle}' in: {said}");
    }
}

/// Every weight of `expected` is in `found`, the same in every element.
#[track_caller]
pub(crate) fn assert_has(found: &Checkpoint, expected: &Checkpoint, what: &str) {
    for weight in expected.weights() {
        let name = &weight.name;
        let Some(info) = found.weight(name) else {
            panic!("{what}: no '{name}'; notes: {:?}", found.notes());
        };
        assert_eq!(info.shape, weight.shape, "{what}: shape of {name}");
        let pairs = found.read_f32(name).unwrap().into_iter();
        let expected = expected.read_f32(name).unwrap();
        for (index, (found, expected)) in pairs.zip(expected).enumerate() {
            assert!(
                found == expected,
                "{what}: {name}[{index}] is {found}, expected {expected}"
            );
        }
    }
}
