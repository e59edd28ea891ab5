//! What a test has: a hub, a cache, and what a user reads.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use nezha_hub::{Hub, HubError, ModelId, Snapshot};
use tempfile::TempDir;

use crate::server::Server;

pub(crate) const CONFIG: &[u8] = b"{\"model_type\": \"nezha\"}";

pub(crate) fn weights() -> Vec<u8> {
    (0..200_000_u32).map(|i| (i % 251) as u8).collect()
}

pub(crate) fn server() -> Server {
    Server::start(&[
        (".gitattributes", b"*.bin filter=lfs"),
        ("README.md", b"# NEZHA"),
        ("config.json", CONFIG),
        ("flax_model.msgpack", b"flax"),
        ("model.safetensors", &weights()),
        ("pytorch_model.bin", b"pickle"),
        ("vocab.txt", b"[PAD]\n[UNK]\n"),
    ])
}

pub(crate) struct Cache(pub TempDir);

impl Cache {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn hub(&self, server: &Server) -> Hub {
        Hub::new(server.endpoint(), self.0.path())
    }

    pub(crate) fn model(&self) -> PathBuf {
        self.0.path().join("models--owner--nezha")
    }

    /// The names of the contents that are there, complete or not.
    pub(crate) fn contents(&self) -> BTreeSet<String> {
        names(&self.model().join("blobs"))
    }

    pub(crate) fn main(&self) -> Option<String> {
        fs::read_to_string(self.model().join("refs/main")).ok()
    }
}

pub(crate) fn names(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return BTreeSet::new();
    };
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.map(|it| name(it.unwrap())).collect()
}

pub(crate) fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|it| (*it).to_owned()).collect()
}

pub(crate) fn try_fetch(hub: &Hub, model: &str) -> Result<Snapshot, HubError> {
    let model: ModelId = model.parse().unwrap();
    hub.fetch(&model, &mut |_| ())
}

#[track_caller]
pub(crate) fn fetch(hub: &Hub, model: &str) -> Snapshot {
    match try_fetch(hub, model) {
        Ok(snapshot) => snapshot,
        Err(error) => panic!("{error}: {:?}", error.source()),
    }
}

/// What a user reads of a fetch that has to fail.
#[track_caller]
pub(crate) fn refusal(hub: &Hub, model: &str, parts: &[&str]) -> HubError {
    match try_fetch(hub, model) {
        Ok(snapshot) => panic!("fetched {snapshot:?}"),
        Err(error) => {
            let message = error.to_string();
            for part in parts {
                assert!(message.contains(part), "no \"{part}\" in: {message}");
            }
            error
        }
    }
}
