//! Finds the encoders in a checkpoint, and chooses one.

use std::path::Path;

use super::dialects::{self, Dialect};
use super::formats::Format;
use super::tensor::StoredTensor;
use super::{CheckpointError, OpenOptions};

/// The place of the encoder in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// The keys of the state dict that contains it, joined by dots; empty if the file itself is the
    /// state dict.
    pub key: String,
    /// The prefix of its names in the state dict, such as `nezha.` or `module.bert.`.
    pub prefix: String,
    /// The naming scheme of its tensors.
    pub dialect: Dialect,
}

/// An encoder in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Encoder {
    /// The naming scheme of its tensors.
    pub dialect: Dialect,
    /// The prefix of its names, including the key.
    pub prefix: String,
    /// The keys of the mapping that contains it, including the last dot.
    pub key: String,
    /// Whether every module is a mapping of its own, as in a pickled module.
    pub nested: bool,
}

impl Encoder {
    /// Its place, for readers of the checkpoint.
    pub(super) fn origin(&self) -> Origin {
        Origin {
            key: self.key.trim_end_matches('.').to_owned(),
            prefix: self.inner_prefix().to_owned(),
            dialect: self.dialect,
        }
    }

    /// The prefix of its names without the key.
    pub(super) fn inner_prefix(&self) -> &str {
        self.prefix.strip_prefix(&self.key).unwrap_or(&self.prefix)
    }

    fn is_under(&self, key: &str) -> bool {
        let rest = self.prefix.strip_prefix(key);
        rest.is_some_and(|it| key.is_empty() || it.starts_with('.'))
    }

    fn has_prefix(&self, prefix: &str) -> bool {
        let plain = |it: &str| it.trim_end_matches(['.', '/']).to_owned();
        let wanted = plain(prefix);
        plain(&self.prefix) == wanted || plain(self.inner_prefix()) == wanted
    }

    /// Its place, for messages.
    fn place(&self) -> String {
        let prefix = format!("prefix '{}'", self.inner_prefix());
        match self.key.strip_suffix('.') {
            Some(key) => format!("key '{key}', {prefix}"),
            None => prefix,
        }
    }
}

/// The tensors' names as the dialects write them. TensorFlow's have dots instead of slashes. In
/// Keras' names, the layers of each block are numbered separately. The length of an encoder's
/// prefix doesn't change.
pub(super) fn written_names(tensors: &[StoredTensor], format: Format) -> Vec<String> {
    let names = tensors.iter().map(|it| &it.name);
    match format {
        Format::TensorFlow => names.map(|it| it.replace('/', ".")).collect(),
        Format::Keras => dialects::number_by_layer(&names.cloned().collect::<Vec<_>>()),
        Format::Safetensors | Format::Torch | Format::Paddle => names.cloned().collect(),
    }
}

/// The encoders in a checkpoint, sorted by name.
pub(super) fn find(tensors: &[StoredTensor], format: Format) -> Vec<Encoder> {
    let names = written_names(tensors, format);
    let found = names.iter().zip(tensors).flat_map(|(name, tensor)| {
        Dialect::ALL.into_iter().filter_map(|dialect| {
            let prefix = dialect.prefix(name)?;
            let nested = tensor.keys.last().is_some_and(|it| *it > prefix.len());
            let key = match nested {
                true => 0,
                false => tensor.keys.last().copied().unwrap_or(0),
            };
            Some(Encoder {
                dialect,
                key: prefix.get(..key)?.to_owned(),
                prefix: prefix.to_owned(),
                nested,
            })
        })
    });
    found.collect()
}

/// The encoder that the options choose; without such options, the only one. `None` if there is none
/// and the options choose none.
pub(super) fn choose(
    mut found: Vec<Encoder>,
    path: &Path,
    options: &OpenOptions,
) -> Result<Option<Encoder>, CheckpointError> {
    let places = |found: &[Encoder]| found.iter().map(Encoder::place).collect::<Vec<_>>();
    let all = places(&found);
    let mut asked = Vec::new();
    if let Some(key) = &options.key {
        found.retain(|it| it.is_under(key));
        asked.push(format!("key '{key}'"));
    }
    if let Some(prefix) = &options.prefix {
        found.retain(|it| it.has_prefix(prefix));
        asked.push(format!("prefix '{prefix}'"));
    }
    match (found.len(), asked.is_empty()) {
        (0, true) => Ok(None),
        (0, false) => Err(CheckpointError::NoSuchEncoder {
            path: path.to_owned(),
            asked: asked.join(" and "),
            found: all,
        }),
        (1, _) => Ok(found.pop()),
        _ => Err(CheckpointError::SeveralEncoders {
            path: path.to_owned(),
            found: places(&found),
        }),
    }
}
