use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::ModelId;

/// The cause of an error, from another library.
pub type BoxedError = Box<dyn Error + Send + Sync>;

/// Why a checkpoint can't be fetched from the hub.
///
/// The message says what failed, and `source()` the cause, if there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// There is no folder for the cache.
    #[error("no home folder to keep the hub's cache in: set HF_HOME to a folder")]
    NoHome,
    /// The hub has no such model, or hides it from this user.
    #[error(
        "{endpoint} has no model '{}', or it is private; check the spelling{}",
        model.name(), log_in(*token)
    )]
    NoSuchModel {
        /// The model that was requested.
        model: ModelId,
        /// The hub's address.
        endpoint: String,
        /// Whether a token was sent.
        token: bool,
    },
    /// The model has no such revision.
    #[error(
        "'{}' has no revision '{}'; expected a branch, a tag or a commit of {endpoint}/{}",
        model.name(), model.revision(), model.name()
    )]
    NoSuchRevision {
        /// The model that was requested.
        model: ModelId,
        /// The hub's address.
        endpoint: String,
    },
    /// The model's owner must grant access.
    #[error(
        "'{}' is gated: its owner decides who may download it; ask for access on \
         {endpoint}/{}{}",
        model.name(), model.name(), log_in(*token)
    )]
    Gated {
        /// The model that was requested.
        model: ModelId,
        /// The hub's address.
        endpoint: String,
        /// Whether a token was sent.
        token: bool,
    },
    /// The hub doesn't accept the token.
    #[error(
        "{url}: refused with status {status}{}",
        if *token { "; the token may be wrong, expired or without the right to read: set HF_TOKEN to \
        another, or log in again with `hf auth login`" } else { log_in(false) }
    )]
    Refused {
        /// The address that was requested.
        url: String,
        /// The status of the response.
        status: u16,
        /// Whether a token was sent.
        token: bool,
    },
    /// The hub can't be reached.
    #[error(
        "{endpoint} can't be reached; check the network and the proxy, or set HF_ENDPOINT to a mirror"
    )]
    Unreachable {
        /// The hub's address.
        endpoint: String,
        /// What failed.
        source: BoxedError,
    },
    /// The hub returned a server error or an unexpected status.
    #[error("{url}: answered with status {status}; try again later")]
    Status {
        /// The address that was requested.
        url: String,
        /// The status of the response.
        status: u16,
    },
    /// The response, or a file from it, isn't what a hub returns.
    #[error("{place}: {reason}; is HF_ENDPOINT a hub?")]
    Answer {
        /// The address or the file.
        place: String,
        /// What is wrong with it.
        reason: String,
        /// The cause, if another error led to this.
        source: Option<BoxedError>,
    },
    /// The repository has no weights that can be read, or several candidates.
    #[error("'{}' has {}", model.name(), Found { candidates, files })]
    Weights {
        /// The model that was requested.
        model: ModelId,
        /// The files that may be its weights.
        candidates: Vec<String>,
        /// All of its files.
        files: Vec<String>,
    },
    /// A transfer failed several times.
    #[error(
        "the download of '{file}' broke off at byte {received}, and {attempts} attempts in a row \
         received nothing; what has arrived is kept, and the next try continues there"
    )]
    Interrupted {
        /// The file.
        file: String,
        /// Bytes that have arrived.
        received: u64,
        /// How many attempts in a row received nothing.
        attempts: u32,
        /// The last failure.
        source: BoxedError,
    },
    /// A file differs from what the hub announced.
    #[error(
        "'{file}' arrived with the checksum {found}, expected {expected}, and was removed; try again. \
         If that doesn't help, the hub, the mirror or a proxy changes the file"
    )]
    Checksum {
        /// The file.
        file: String,
        /// The checksum that the hub announced.
        expected: String,
        /// The checksum of the file that arrived.
        found: String,
    },
    /// The hub may not be asked, and the cache lacks the checkpoint.
    #[error(
        "'{model}' is not, or not completely, in the cache {}, and HF_HUB_OFFLINE is set; unset it, \
         or bring the model there with `hf download {}`",
        cache.display(), model.name()
    )]
    Offline {
        /// The model that was requested.
        model: ModelId,
        /// The cache.
        cache: PathBuf,
    },
    /// The cache can't be read or written.
    #[error(
        "{}: the hub's cache can't be read or written there; HF_HUB_CACHE moves it",
        path.display()
    )]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// The system's message.
        source: io::Error,
    },
}

fn log_in(token: bool) -> &'static str {
    match token {
        true => "; the token that was sent may be another user's",
        false => "; if you have access, log in with `hf auth login`, or set HF_TOKEN to your token",
    }
}

/// The candidates for the weights, and all files if there is no candidate.
struct Found<'f> {
    candidates: &'f [String],
    files: &'f [String],
}

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.candidates {
            [] => {
                const SHOWN: usize = 12;
                let shown: Vec<&str> = self.files.iter().take(SHOWN).map(String::as_str).collect();
                write!(
                    f,
                    "no weights that could be read; its files are: {}",
                    shown.join(", ")
                )?;
                match self.files.len().saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            several => write!(
                f,
                "several files that may be its weights: {}; download the one that is meant, and its \
                 config, and name that file",
                several.join(", ")
            ),
        }
    }
}
