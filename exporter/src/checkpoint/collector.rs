//! Collects the tensors of files into the weights of the chosen encoder and its heads.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::dialects::{self, Dialect, Translation};
use super::encoders::{self, Encoder};
use super::formats::Format;
use super::positions::{self, Table};
use super::tensor::{Data, ElementType, StoredTensor};
use super::weights::{POSITION_EMBEDDINGS, Source, Weight, Weights};
use super::{CheckpointError, Note, OpenOptions, WeightInfo};

/// The name that every PyTorch library gives the transition matrix of a conditional random field.
const TRANSITIONS: &str = "crf.transitions";

/// Scalars of Huawei's training code and of TensorFlow's optimizers.
const TRAINING: [&str; 6] = [
    "global_step",
    "loss_scale",
    "good_steps",
    "bad_steps",
    "beta1_power",
    "beta2_power",
];

/// Finds the encoder among the tensors of the checkpoint at `path`, and gives every tensor its
/// canonical name.
pub(super) fn collect(
    tensors: Vec<StoredTensor>,
    path: &Path,
    format: Format,
    options: &OpenOptions,
) -> Result<Weights, CheckpointError> {
    let mut notes = Vec::new();
    let tensors = without_training(tensors, format, &mut notes);
    if let Some(tensor) = tensors.iter().find(|it| it.name.contains(".lora_A.")) {
        return Err(CheckpointError::Adapter {
            path: tensor.file.to_path_buf(),
            base: None,
        });
    }
    let encoder = encoders::choose(encoders::find(&tensors, format), path, options)?;
    let mut collector = Collector {
        path,
        encoder: encoder.as_ref(),
        weights: BTreeMap::new(),
        tables: Vec::new(),
        buffers: BTreeMap::new(),
        beside: BTreeSet::new(),
        gamma_beta: false,
    };
    let names = encoders::written_names(&tensors, format);
    for (written, tensor) in names.iter().zip(tensors) {
        collector.add(written, tensor)?;
    }
    let mut weights = collector.finish(notes);
    let dialect = encoder.map_or(Dialect::Transformers, |it| it.dialect);
    weights.settle_layout(dialect, path, format)?;
    weights.settle_prediction_bias();
    weights.settle_decoder(dialect)?;
    Ok(weights)
}

/// The tensors without an optimizer's state. TensorFlow's names for such state are the variable's
/// name with one more part.
fn without_training(
    tensors: Vec<StoredTensor>,
    format: Format,
    notes: &mut Vec<Note>,
) -> Vec<StoredTensor> {
    let names: BTreeSet<&str> = tensors.iter().map(|it| it.name.as_str()).collect();
    let is_training: Vec<bool> = tensors
        .iter()
        .map(|tensor| match format {
            Format::TensorFlow => {
                let variable = tensor.name.rsplit_once('/').map(|(variable, _)| variable);
                TRAINING.contains(&tensor.name.as_str())
                    || variable.is_some_and(|it| names.contains(it))
            }
            Format::Keras => tensor.name.starts_with("optimizer_weights/"),
            Format::Safetensors | Format::Torch | Format::Paddle => false,
        })
        .collect();
    let (mut count, mut bytes) = (0, 0);
    let mut kept = Vec::with_capacity(tensors.len());
    for (tensor, is_training) in tensors.into_iter().zip(is_training) {
        match is_training {
            true => {
                count += 1;
                bytes += tensor.length as u64;
            }
            false => kept.push(tensor),
        }
    }
    if count > 0 {
        notes.push(Note::OptimizerState { count, bytes });
    }
    kept
}

/// Collects tensors one by one.
struct Collector<'e> {
    path: &'e Path,
    encoder: Option<&'e Encoder>,
    weights: BTreeMap<String, Weight>,
    tables: Vec<Table>,
    /// Names in the file of the buffers that are not read, and their sizes in bytes.
    buffers: BTreeMap<String, u64>,
    /// Names in the file of the tensors outside of the encoder's state dict.
    beside: BTreeSet<String>,
    gamma_beta: bool,
}

/// Where a tensor belongs.
enum Place {
    /// To the encoder or a head; the number counts the modules between it and the encoder.
    Known(Translation, usize),
    /// To the encoder's state dict, but not to a part that is known.
    Unknown(String),
    /// To another state dict, or to none.
    Beside,
}

impl Collector<'_> {
    fn place(&self, written: &str, keys: &[usize]) -> Place {
        let Some(encoder) = self.encoder else {
            return outermost(written);
        };
        let dialect = encoder.dialect;
        if let Some(rest) = written.strip_prefix(&encoder.prefix) {
            let known = dialect.encoder(rest).or_else(|| dialect.head(rest, true));
            return match known {
                Some(translation) => Place::Known(translation, 0),
                None if encoder.prefix.is_empty() => self.unknown(rest.to_owned(), written, keys),
                None => Place::Unknown(format!("nezha.{rest}")),
            };
        }
        let mut outer = dialects::around(&encoder.prefix).enumerate();
        let nearest =
            outer.find_map(|(number, outer)| Some((number + 1, written.strip_prefix(outer)?)));
        let (distance, rest) = nearest.unwrap_or((0, written));
        match dialect.head(rest, false) {
            Some(translation) => Place::Known(translation, distance),
            None => self.unknown(rest.to_owned(), written, keys),
        }
    }

    /// The place of a tensor that no model reads. It is only reported if it is in the encoder's
    /// state dict.
    fn unknown(&self, name: String, written: &str, keys: &[usize]) -> Place {
        let Some(encoder) = self.encoder.filter(|it| !it.nested) else {
            return Place::Unknown(name);
        };
        let key = written.get(..keys.last().copied().unwrap_or(0));
        match key == Some(encoder.key.as_str()) {
            true => Place::Unknown(name),
            false => Place::Beside,
        }
    }

    fn add(&mut self, written: &str, tensor: StoredTensor) -> Result<(), CheckpointError> {
        let (name, linear, distance, known) = match self.place(written, &tensor.keys) {
            Place::Known(it, distance) => (it.name, it.linear, distance, true),
            Place::Unknown(name) => (name, false, usize::MAX, false),
            Place::Beside => {
                self.beside.insert(tensor.name);
                return Ok(());
            }
        };
        if name.starts_with("nezha.") && positions::is_table(&name) {
            return self.add_table(&name, tensor);
        }
        let storage = match tensor.element {
            ElementType::Weight(storage) if !dialects::is_unread_buffer(&name) => storage,
            ElementType::Other(found) if known => {
                return Err(CheckpointError::UnsupportedStorage {
                    path: tensor.file.to_path_buf(),
                    name: tensor.name,
                    found,
                });
            }
            _ => {
                self.buffers.insert(tensor.name, tensor.length as u64);
                return Ok(());
            }
        };
        self.gamma_beta |= written.ends_with("LayerNorm.gamma");
        let info = WeightInfo {
            name: name.clone(),
            shape: tensor.shape,
            storage,
            location: match &tensor.data {
                Data::Slice { location, .. } => Some(location.clone()),
                Data::Read(_) => None,
            },
        };
        let weight = Weight {
            info,
            source: Source {
                data: tensor.data,
                file: tensor.file,
                stored_shape: None,
            },
            stored: tensor.name,
            linear,
            distance,
        };
        self.insert(name, weight)
    }

    /// If two heads have the same weight, the one nearer to the encoder is the encoder's.
    fn insert(&mut self, name: String, weight: Weight) -> Result<(), CheckpointError> {
        match self.weights.entry(name) {
            Entry::Vacant(place) => {
                place.insert(weight);
            }
            Entry::Occupied(mut first) if first.get().distance != weight.distance => {
                let farther = match first.get().distance < weight.distance {
                    true => weight,
                    false => first.insert(weight),
                };
                self.beside.insert(farther.stored);
            }
            Entry::Occupied(first) => {
                return Err(CheckpointError::DuplicateTensor {
                    path: self.path.to_owned(),
                    first: first.get().stored.clone(),
                    second: weight.stored,
                });
            }
        }
        Ok(())
    }

    fn add_table(&mut self, name: &str, tensor: StoredTensor) -> Result<(), CheckpointError> {
        let ElementType::Weight(storage) = tensor.element else {
            self.buffers.insert(tensor.name, tensor.length as u64);
            return Ok(());
        };
        if !dialects::is_position_buffer(name) {
            return Err(CheckpointError::LearnedPositions {
                path: tensor.file.to_path_buf(),
                name: tensor.name,
                why: "no NEZHA saves one under this name".to_owned(),
            });
        }
        self.buffers
            .insert(tensor.name.clone(), tensor.length as u64);
        self.tables.push(Table {
            name: tensor.name,
            file: tensor.file,
            shape: tensor.shape,
            storage,
            data: tensor.data,
        });
        Ok(())
    }

    fn finish(self, mut notes: Vec<Note>) -> Weights {
        if let Some(encoder) = self.encoder {
            notes.extend(found(encoder));
        }
        if self.gamma_beta
            && self
                .encoder
                .is_none_or(|it| it.dialect == Dialect::Transformers)
        {
            notes.push(Note::GammaBeta);
        }
        if let Some(first) = self.buffers.keys().next() {
            notes.push(Note::SkippedBuffers {
                count: self.buffers.len(),
                bytes: self.buffers.values().sum(),
                first: first.clone(),
            });
        }
        if let Some(first) = self.beside.first() {
            notes.push(Note::Beside {
                count: self.beside.len(),
                first: first.clone(),
            });
        }
        if self.weights.contains_key(POSITION_EMBEDDINGS) {
            notes.push(Note::PositionEmbeddings);
        }
        let crf = self.weights.keys().find(|it| it.ends_with(TRANSITIONS));
        if let Some(name) = crf {
            notes.push(Note::Crf { name: name.clone() });
        }
        let own = self.weights.get("classifier.weight");
        if let Some(own) = own.filter(|it| {
            !it.stored.ends_with("classifier.weight") && !it.stored.ends_with("output_weights")
        }) {
            notes.push(Note::OwnClassifier {
                name: own.stored.clone(),
            });
        }
        Weights {
            by_name: self.weights,
            tables: self.tables,
            origin: self.encoder.map(Encoder::origin),
            untied: false,
            notes,
        }
    }
}

/// Notes on how an encoder was found.
fn found(encoder: &Encoder) -> impl Iterator<Item = Note> {
    let key = encoder.key.strip_suffix('.').map(|key| Note::StateDict {
        key: key.to_owned(),
    });
    let prefix = encoder.inner_prefix();
    // In the other dialects, `bert.` is as usual as no prefix.
    let usual: &[&str] = match encoder.dialect {
        Dialect::Transformers => &["nezha."],
        _ => &["nezha.", "bert.", ""],
    };
    let prefix = (!usual.contains(&prefix)).then(|| Note::Prefix {
        prefix: prefix.to_owned(),
    });
    let dialect =
        (encoder.dialect != Dialect::Transformers).then_some(Note::Names(encoder.dialect));
    [key, prefix, dialect].into_iter().flatten()
}

/// The place of a tensor in a checkpoint without an encoder: the outermost module that has a known
/// name decides.
fn outermost(written: &str) -> Place {
    let dialect = Dialect::Transformers;
    let starts = std::iter::once(0).chain(written.match_indices('.').map(|(at, _)| at + 1));
    let known = starts
        .filter_map(|at| written.get(at..))
        .find_map(|rest| dialect.encoder(rest).or_else(|| dialect.head(rest, true)));
    match known {
        Some(translation) => Place::Known(translation, 0),
        None => Place::Unknown(written.to_owned()),
    }
}
