//! What answers depend on besides the rows: the model's files, and the engine with its version.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nezha_graphs::Head;
use nezha_runtime::{Model, Session, pipeline};
use serde::{Deserialize, Serialize};

use crate::files::folder_of;
use crate::{ScoreError, digest};

/// The files beside a model that its pipeline may read.
const BESIDE: [&str; 6] = [
    "config.json",
    "tokenizer.json",
    "vocab.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
];

/// A model, identified by the content of its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelIdentity {
    /// Where the planner found it; a worker may have it elsewhere.
    pub path: PathBuf,
    /// The XXH3 digests of the model, its weights and the tokenizer's files, by file name.
    pub files: BTreeMap<String, String>,
}

/// An engine and its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineIdentity {
    /// Its name, as in an [`EngineChoice`](nezha_runtime::EngineChoice).
    pub name: String,
    /// What computes, with its version: `ONNX Runtime 1.31.1 (CPU)`.
    pub description: String,
}

impl ModelIdentity {
    /// Reads all files of a model.
    ///
    /// # Errors
    /// [`ScoreError::Pipeline`] if there is no model; [`ScoreError::Model`], [`ScoreError::Read`].
    pub fn of(path: &Path, heads: &[Head]) -> Result<Self, ScoreError> {
        let path = std::path::absolute(path).map_err(ScoreError::read(path))?;
        let model = pipeline::model_path(&path, heads)?;
        let folder = folder_of(&model);
        let mut names: Vec<String> = external_files(&Model::open(&model)?);
        names.extend(BESIDE.map(str::to_owned));
        let mut files = BTreeMap::new();
        let name = model.file_name().unwrap_or_default().to_string_lossy();
        files.insert(name.into_owned(), digest::of_file(&model)?);
        for name in names {
            let file = folder.join(&name);
            if file.is_file() {
                files.insert(name, digest::of_file(&file)?);
            }
        }
        Ok(Self { path, files })
    }

    /// Fails unless `now` has the same files.
    ///
    /// # Errors
    /// [`ScoreError::Differs`].
    pub fn check(&self, now: &Self) -> Result<(), ScoreError> {
        let names = self.files.keys().chain(now.files.keys());
        for name in names {
            let [planned, found] = [self, now].map(|it| it.files.get(name));
            if planned != found {
                let show = |it: Option<&String>| {
                    it.map_or("none".to_owned(), |digest| format!("digest {digest}"))
                };
                return Err(ScoreError::Differs {
                    what: format!("the model's {name}"),
                    planned: show(planned),
                    now: show(found),
                });
            }
        }
        Ok(())
    }
}

/// The files with a model's external weights.
fn external_files(model: &Model) -> Vec<String> {
    let initializers = model.proto().graph.iter().flat_map(|it| &it.initializer);
    let entries = initializers.flat_map(|it| &it.external_data);
    let locations = entries.filter(|it| it.key == "location");
    let mut names: Vec<String> = locations.map(|it| it.value.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl EngineIdentity {
    /// The engine of a session.
    pub fn of(session: &Session) -> Self {
        let engine = session.engine();
        Self {
            name: engine.kind().name().to_owned(),
            description: engine.description().to_owned(),
        }
    }

    /// Fails unless `now` is the same engine.
    ///
    /// # Errors
    /// [`ScoreError::Differs`].
    pub fn check(&self, now: &Self) -> Result<(), ScoreError> {
        match self == now {
            true => Ok(()),
            false => Err(ScoreError::Differs {
                what: "the engine".to_owned(),
                planned: self.description.clone(),
                now: now.description.clone(),
            }),
        }
    }
}
