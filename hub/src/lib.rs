//! Fetches checkpoints from the Hugging Face hub by their names.
//!
//! [`Hub::fetch`] downloads what a checkpoint needs: the config, the tokenizer's files, and one set
//! of weights, preferring safetensors to pickles. It uses the cache of the hub's own tools, in
//! their layout, so that neither downloads what the other already has. An interrupted download
//! continues where it stopped. Every file is compared with the hub's checksum before it gets its
//! name, and a revision points to a snapshot only once all its files are there.
//!
//! It reads the same environment variables as the hub's own tools: `HF_ENDPOINT` (a mirror),
//! `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_OFFLINE`.
//!
//! ```no_run
//! use nezha_hub::{Hub, ModelId};
//!
//! let model: ModelId = "sijunhe/nezha-cn-base".parse()?;
//! let snapshot = Hub::from_env()?.fetch(&model, &mut |_| ())?;
//! println!("{}", snapshot.folder.display());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The hub's responses are untrusted: a name, a commit or a checksum that could lead out of the
//! cache is refused.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod cache;
mod checksum;
mod download;
mod error;
mod files;
mod id;
mod remote;
mod settings;

use std::path::PathBuf;

use cache::{Cache, Revision};
use download::Download;
pub use error::{BoxedError, HubError};
use files::{Needed, Weights};
pub use id::{InvalidModelId, ModelId};
use remote::{Listing, Remote};
use settings::Settings;

/// The hub, or a mirror of it, and the local cache.
#[derive(Debug)]
pub struct Hub {
    remote: Remote,
    cache: Cache,
    offline: bool,
}

/// A checkpoint in the cache.
#[derive(Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The folder with its files.
    pub folder: PathBuf,
    /// The commit of these files.
    pub commit: String,
    /// Why the hub could not be asked whether the revision has changed; `None` if it was asked or
    /// didn't need to be.
    pub unreachable: Option<HubError>,
}

/// The progress of a fetch.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress<'f> {
    /// The file that is arriving.
    pub file: &'f str,
    /// Bytes of all files that have arrived.
    pub done: u64,
    /// Bytes of all files of this fetch, as far as their sizes are known.
    pub total: u64,
}

impl Hub {
    /// The hub that the environment names, with the user's cache and token.
    ///
    /// # Errors
    /// [`HubError::NoHome`] if nothing says where the cache is.
    pub fn from_env() -> Result<Self, HubError> {
        let settings = Settings::read(|name| std::env::var(name).ok(), std::env::home_dir())?;
        Ok(Self {
            remote: Remote::new(settings.endpoint, settings.token),
            cache: Cache::new(settings.cache),
            offline: settings.offline,
        })
    }

    /// The hub at `endpoint`, such as `https://huggingface.co`, with the cache in the folder
    /// `cache`. It reads no environment variables and has no token.
    pub fn new(endpoint: impl Into<String>, cache: impl Into<PathBuf>) -> Self {
        Self {
            remote: Remote::new(endpoint.into(), None),
            cache: Cache::new(cache.into()),
            offline: false,
        }
    }

    /// Sets the user's token, for gated and private models.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.remote.token = Some(token.into());
        self
    }

    /// Whether to look only into the cache.
    #[must_use]
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// Returns the checkpoint `model` in the cache, after downloading the files that are missing.
    ///
    /// If the hub can't be reached and the cache has the checkpoint, that is returned, and
    /// [`Snapshot::unreachable`] says why.
    ///
    /// # Errors
    /// Any [`HubError`]. Complete files stay in the cache, and an interrupted file continues the
    /// next time.
    pub fn fetch(
        &self,
        model: &ModelId,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Snapshot, HubError> {
        let cached = self.cache.snapshot(model)?;
        if let Some(found) = &cached
            && (self.offline || model.is_commit())
        {
            return Ok(found.clone().into());
        }
        if self.offline {
            return Err(HubError::Offline {
                model: model.clone(),
                cache: self.cache.folder().to_owned(),
            });
        }
        match (self.remote.listing(model), cached) {
            (Ok(listing), _) => self.complete(model, &listing, progress),
            (Err(unreachable @ HubError::Unreachable { .. }), Some(found)) => Ok(Snapshot {
                unreachable: Some(unreachable),
                ..found.into()
            }),
            (Err(error), _) => Err(error),
        }
    }

    fn complete(
        &self,
        model: &ModelId,
        listing: &Listing,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Snapshot, HubError> {
        let needed = Needed::of(&listing.files).map_err(|candidates| HubError::Weights {
            model: model.clone(),
            candidates,
            files: listing.files.clone(),
        })?;
        let revision = self.cache.revision(model, &listing.commit);
        let mut download = Download::new(&self.remote, model, &revision, progress);
        download.add(needed.files)?;
        if let Weights::Index(index) = needed.weights {
            download.add(vec![index.clone()])?;
            download.run()?;
            let shards = files::shards(&revision.file(&index))?.into_iter();
            // A shard that is not listed is reported when the checkpoint is read.
            download.add(shards.filter(|it| listing.files.contains(it)).collect())?;
        }
        download.run()?;
        revision.publish(model)?;
        Ok(revision.into())
    }
}

impl From<Revision> for Snapshot {
    fn from(revision: Revision) -> Self {
        Self {
            folder: revision.folder(),
            commit: revision.commit,
            unreachable: None,
        }
    }
}
