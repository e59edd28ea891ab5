use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use nezha_graphs::{Config, Head};
use serde::Serialize;

use super::proposal::propose;
use crate::Survey;
use crate::checkpoint::{Checkpoint, WeightInfo};
use crate::nezha::BuildError;

/// Prefixes of canonical names, and the names of the parts of a model that they stand for.
const PARTS: [(&str, &str); 7] = [
    ("nezha.embeddings.", "embeddings"),
    ("nezha.encoder.", "layers"),
    ("nezha.pooler.", "pooler"),
    ("cls.predictions.", "prediction head"),
    ("cls.seq_relationship.", "next-sentence head"),
    ("classifier.", "classifier"),
    ("qa_outputs.", "question-answering head"),
];

/// A checkpoint, in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckpointSummary {
    /// The folder.
    pub folder: PathBuf,
    /// The files of weights.
    pub files: Vec<FileSummary>,
    /// The name of the weights' format, such as `safetensors` or `TensorFlow`.
    pub format: &'static str,
    /// Where the encoder was found; absent if there is none.
    pub origin: Option<OriginSummary>,
    /// The weights, by the storage type of their elements.
    pub storage: Vec<StorageSummary>,
    /// Number of elements of all weights.
    pub parameters: u64,
    /// Size of all weights, in bytes.
    pub bytes: u64,
    /// The weights by part of the model, in the order in which data flows.
    pub parts: Vec<PartSummary>,
    /// The config, with defaults filled in.
    pub config: Config,
    /// Size of one attention head.
    pub head_size: usize,
    /// All heads, and whether this checkpoint can provide them.
    pub heads: Vec<HeadSummary>,
    /// Tensors that no head needs.
    pub unknown_tensors: Vec<String>,
    /// A proposed spec, in TOML, of a head over the tensors that no head reads: a guess from names
    /// and shapes. Absent if nothing fits the tensors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed_head: Option<String>,
    /// What was found, translated, skipped or assumed, one sentence each.
    pub notes: Vec<String>,
}

/// The place of the encoder in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OriginSummary {
    /// The keys of the state dict that contains it, joined by dots; empty if the file itself is the
    /// state dict.
    pub key: String,
    /// The prefix of its names.
    pub prefix: String,
    /// The naming scheme of its tensors, such as `transformers` or `PaddleNLP`.
    pub dialect: &'static str,
}

/// A file of weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileSummary {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The weights with the same storage type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StorageSummary {
    /// The storage type, by safetensors' name.
    pub storage: String,
    /// Number of tensors.
    pub tensors: usize,
    /// Their size, in bytes.
    pub bytes: u64,
}

/// The weights of one part of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartSummary {
    /// The name of the part.
    pub part: &'static str,
    /// Number of tensors.
    pub tensors: usize,
    /// Number of their elements.
    pub parameters: u64,
}

/// One of the eight heads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeadSummary {
    /// Its name.
    pub head: &'static str,
    /// Whether the config's `architectures` names it.
    pub named: bool,
    /// Why the checkpoint can't provide it; absent if it can.
    pub unavailable: Option<String>,
}

impl CheckpointSummary {
    /// Summarizes `checkpoint`.
    ///
    /// # Errors
    /// [`BuildError`] if a head's graph can't be built even with all of its tensors.
    pub fn new(checkpoint: &Checkpoint) -> Result<Self, BuildError> {
        let survey = Survey::new(checkpoint)?;
        let weights = checkpoint.weights();
        let files = checkpoint.files().into_iter().map(|path| FileSummary {
            path: path.to_owned(),
            bytes: fs::metadata(path).map_or(0, |it| it.len()),
        });
        let config = checkpoint.config();
        Ok(Self {
            folder: checkpoint.folder().to_owned(),
            files: files.collect(),
            format: checkpoint.format().name(),
            origin: checkpoint.origin().map(|it| OriginSummary {
                key: it.key.clone(),
                prefix: it.prefix.clone(),
                dialect: it.dialect.name(),
            }),
            storage: storage(weights),
            parameters: parameters(weights),
            bytes: checkpoint.size(),
            parts: parts(weights),
            config: config.clone(),
            head_size: config.head_size(),
            heads: Head::ALL
                .map(|head| HeadSummary::new(&survey, config, head))
                .to_vec(),
            unknown_tensors: survey.unknown_tensors(),
            proposed_head: propose(checkpoint, &survey),
            notes: checkpoint.notes().iter().map(ToString::to_string).collect(),
        })
    }
}

impl HeadSummary {
    fn new(survey: &Survey, config: &Config, head: Head) -> Self {
        Self {
            head: head.name(),
            named: config.heads().contains(&head),
            unavailable: survey.check(head).err().map(|reason| reason.to_string()),
        }
    }
}

fn parameters<'w>(weights: impl IntoIterator<Item = &'w WeightInfo>) -> u64 {
    weights.into_iter().map(|it| it.elements() as u64).sum()
}

fn storage(weights: &[WeightInfo]) -> Vec<StorageSummary> {
    let mut by_name = BTreeMap::new();
    for weight in weights {
        let entry = by_name.entry(weight.storage.name());
        let entry = entry.or_insert_with(|| StorageSummary {
            storage: weight.storage.name().to_owned(),
            tensors: 0,
            bytes: 0,
        });
        entry.tensors += 1;
        entry.bytes += weight.elements() as u64 * weight.storage.size() as u64;
    }
    by_name.into_values().collect()
}

fn parts(weights: &[WeightInfo]) -> Vec<PartSummary> {
    let part_of = |weight: &WeightInfo| {
        let known = PARTS
            .iter()
            .find(|(prefix, _)| weight.name.starts_with(prefix));
        known.map_or("other", |(_, part)| part)
    };
    PARTS
        .iter()
        .map(|(_, part)| *part)
        .chain(["other"])
        .filter_map(|part| {
            let members: Vec<_> = weights.iter().filter(|it| part_of(it) == part).collect();
            (!members.is_empty()).then(|| PartSummary {
                part,
                tensors: members.len(),
                parameters: parameters(members.iter().copied()),
            })
        })
        .collect()
}
