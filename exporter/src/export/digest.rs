use std::panic::resume_unwind;
use std::thread::{Scope, ScopedJoinHandle};

use crate::checkpoint::{Checkpoint, CheckpointError};

/// The digest of a checkpoint, computed on another thread while its weights are written.
pub(super) struct Digest<'s> {
    begun: Option<ScopedJoinHandle<'s, Result<String, CheckpointError>>>,
    done: String,
}

impl<'s> Digest<'s> {
    pub(super) fn begin<'e>(scope: &'s Scope<'s, 'e>, checkpoint: &'e Checkpoint) -> Self {
        Self {
            begun: Some(scope.spawn(|| checkpoint.digest())),
            done: String::new(),
        }
    }

    /// Waits for the digest.
    pub(super) fn get(&mut self) -> Result<&str, CheckpointError> {
        if let Some(begun) = self.begun.take() {
            self.done = begun.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        }
        Ok(&self.done)
    }
}
