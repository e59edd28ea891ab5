//! Checkpoints from the Hugging Face hub by their names.
//!
//! [`Hub::fetch`] brings what a checkpoint needs (the config, the tokenizer's files, and one set of
//! weights, safetensors before pickles) into the cache that the hub's own tools share, in their
//! layout, so that neither downloads what the other has. A download that broke off goes on where it
//! stopped, every file is compared with the hub's checksum before it gets its name, and a revision
//! points to a snapshot only once all of its files are there.
//!
//! The environment has the meaning that the hub's own tools give it: `HF_ENDPOINT` (a mirror),
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
//! What the hub answers is untrusted: a name, a commit or a checksum that could lead out of the
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

/// The hub, or a mirror of it, and the cache beside it.
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
    /// The commit that they are of.
    pub commit: String,
    /// Why the hub could not be asked whether this is still what the revision means, where it
    /// couldn't.
    pub unreachable: Option<HubError>,
}

/// How far a fetch is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress<'f> {
    /// The file that arrives.
    pub file: &'f str,
    /// Bytes of all files that are here.
    pub done: u64,
    /// Bytes of all files that are to come and are here, as far as it is known.
    pub total: u64,
}

impl Hub {
    /// The hub that the environment names, with the user's cache and token.
    ///
    /// # Errors
    /// [`HubError::NoHome`] where nothing says where the cache is.
    pub fn from_env() -> Result<Self, HubError> {
        let settings = Settings::read(|name| std::env::var(name).ok(), std::env::home_dir())?;
        Ok(Self {
            remote: Remote::new(settings.endpoint, settings.token),
            cache: Cache::new(settings.cache),
            offline: settings.offline,
        })
    }

    /// The hub at `endpoint`, such as `https://huggingface.co`, with the cache in the folder
    /// `cache`; without a token nor any other word of the environment.
    pub fn new(endpoint: impl Into<String>, cache: impl Into<PathBuf>) -> Self {
        Self {
            remote: Remote::new(endpoint.into(), None),
            cache: Cache::new(cache.into()),
            offline: false,
        }
    }

    /// Says who asks, for gated and private models.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.remote.token = Some(token.into());
        self
    }

    /// Whether to look into the cache only.
    #[must_use]
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// The checkpoint `model` in the cache, what is missing of it downloaded.
    ///
    /// Where the hub can't be reached and the cache has the checkpoint, that is taken, and
    /// [`Snapshot::unreachable`] says why.
    ///
    /// # Errors
    /// Any [`HubError`]; whatever was complete by then stays in the cache, and a file that broke off
    /// goes on from there the next time.
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
            // What is missing is missed when the checkpoint is read.
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
