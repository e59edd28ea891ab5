use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::ModelId;

/// A cause of another library's.
pub type BoxedError = Box<dyn Error + Send + Sync>;

/// Why a checkpoint can't be had from the hub.
///
/// A message says what failed; `source()` says why, where something else failed before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// No folder for the cache.
    #[error("no home folder to keep the hub's cache in: set HF_HOME to a folder")]
    NoHome,
    /// The hub has no such model, or doesn't show it to everybody.
    #[error(
        "{endpoint} has no model '{}', or only for those it is shared with; check the spelling{}",
        model.name(), log_in(*token)
    )]
    NoSuchModel {
        /// What was asked for.
        model: ModelId,
        /// Who was asked.
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
        /// What was asked for.
        model: ModelId,
        /// Who was asked.
        endpoint: String,
    },
    /// The owner wants to be asked.
    #[error(
        "'{}' is gated: its owner decides who may download it; ask for access on \
         {endpoint}/{}{}",
        model.name(), model.name(), log_in(*token)
    )]
    Gated {
        /// What was asked for.
        model: ModelId,
        /// Who was asked.
        endpoint: String,
        /// Whether a token was sent.
        token: bool,
    },
    /// The token is not accepted.
    #[error(
        "{url}: refused with status {status}{}",
        if *token { "; the token may be wrong, expired or without the right to read: set HF_TOKEN to \
        another, or log in again with `hf auth login`" } else { log_in(false) }
    )]
    Refused {
        /// What was asked for.
        url: String,
        /// The answer's status.
        status: u16,
        /// Whether a token was sent.
        token: bool,
    },
    /// Nobody answers.
    #[error(
        "{endpoint} can't be reached; check the network and the proxy, or set HF_ENDPOINT to a mirror"
    )]
    Unreachable {
        /// Who was asked.
        endpoint: String,
        /// What failed.
        source: BoxedError,
    },
    /// The hub is in trouble.
    #[error("{url}: answered with status {status}; try again later")]
    Status {
        /// What was asked for.
        url: String,
        /// The answer's status.
        status: u16,
    },
    /// An answer that is not the hub's.
    #[error("{place}: {reason}; is HF_ENDPOINT a hub?")]
    Answer {
        /// Where it is from.
        place: String,
        /// What is wrong with it.
        reason: String,
        /// What failed, where something did.
        source: Option<BoxedError>,
    },
    /// No weights that a checkpoint could be read from, or several.
    #[error("'{}' has {}", model.name(), Found { candidates, files })]
    Weights {
        /// What was asked for.
        model: ModelId,
        /// The files that may be its weights.
        candidates: Vec<String>,
        /// All of its files.
        files: Vec<String>,
    },
    /// A file broke off again and again.
    #[error(
        "'{file}' broke off at byte {received}, {attempts} times without a byte more; what has come \
         is kept, and the next try goes on from there"
    )]
    Interrupted {
        /// The file.
        file: String,
        /// Bytes that are here.
        received: u64,
        /// How often it was tried in vain.
        attempts: u32,
        /// What failed last.
        source: BoxedError,
    },
    /// A file that is not what the hub says it is.
    #[error(
        "'{file}' arrived with the checksum {found}, expected {expected}; it was removed: try again, \
         and where that is no help, the hub or mirror, or something on the way, changes it"
    )]
    Checksum {
        /// The file.
        file: String,
        /// What the hub says.
        expected: String,
        /// What came.
        found: String,
    },
    /// The hub may not be asked, and the cache doesn't have the checkpoint.
    #[error(
        "'{model}' is not, or not completely, in the cache {}, and HF_HUB_OFFLINE is set; unset it, \
         or bring the model there with `hf download {}`",
        cache.display(), model.name()
    )]
    Offline {
        /// What was asked for.
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
        /// What the operating system says.
        source: io::Error,
    },
}

fn log_in(token: bool) -> &'static str {
    match token {
        true => "; the token that was sent may be another user's",
        false => "; if you have access, log in with `hf auth login`, or set HF_TOKEN to your token",
    }
}

/// What there is in the place of one set of weights.
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
