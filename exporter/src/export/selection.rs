use nezha_graphs::Head;

use super::survey::has_pooler;
use super::{ExportError, Heads, Survey, Unavailable, Warning};
use crate::checkpoint::{Checkpoint, Note};

/// The heads to export, those to skip, and what there is to say about them.
pub(super) struct Selection {
    pub heads: Vec<Head>,
    pub skipped: Vec<(Head, Unavailable)>,
    pub warnings: Vec<Warning>,
}

impl Selection {
    pub fn new(checkpoint: &Checkpoint, wanted: &Heads) -> Result<Self, ExportError> {
        let survey = Survey::new(checkpoint).map_err(|source| ExportError::Build {
            folder: checkpoint.folder().to_owned(),
            source,
        })?;
        let mut heads = Vec::new();
        let mut skipped = Vec::new();
        for head in named(checkpoint, wanted)? {
            match check(&survey, head, wanted) {
                Ok(()) => heads.push(head),
                // Every other head stands on the encoder, so that there is nothing to export.
                Err(reason) if *wanted == Heads::All && head != Head::Base => {
                    skipped.push((head, reason));
                }
                Err(reason) => {
                    return Err(ExportError::Head {
                        folder: checkpoint.folder().to_owned(),
                        head,
                        reason,
                        available: survey.available(),
                    });
                }
            }
        }
        let warnings = warnings(checkpoint, &survey, &heads);
        Ok(Self {
            heads,
            skipped,
            warnings,
        })
    }
}

/// The heads that `wanted` speaks of, each once.
fn named(checkpoint: &Checkpoint, wanted: &Heads) -> Result<Vec<Head>, ExportError> {
    let config = checkpoint.config();
    let heads = match wanted {
        Heads::All => Head::ALL.to_vec(),
        Heads::Named(heads) => heads.clone(),
        Heads::Default => config.heads().into_iter().take(1).collect(),
    };
    if heads.is_empty() {
        return Err(ExportError::NoHead {
            folder: checkpoint.folder().to_owned(),
            found: config.architectures.clone(),
        });
    }
    let first = |(i, head): &(usize, &Head)| !heads[..*i].contains(head);
    let once = heads.iter().enumerate().filter(first);
    Ok(once.map(|(_, head)| *head).collect())
}

fn check(survey: &Survey, head: Head, wanted: &Heads) -> Result<(), Unavailable> {
    survey.check(head)?;
    match *wanted == Heads::All && survey.is_unclaimed(head) {
        true => Err(Unavailable::Unclaimed),
        false => Ok(()),
    }
}

fn warnings(checkpoint: &Checkpoint, survey: &Survey, heads: &[Head]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for note in checkpoint.notes() {
        // Buffers that graphs compute themselves are nobody's loss.
        if !matches!(note, Note::SkippedBuffers { .. }) {
            warnings.push(Warning::Checkpoint(note.clone()));
        }
    }
    let names = survey.unknown_tensors();
    if !names.is_empty() {
        warnings.push(Warning::UnknownTensors { names });
    }
    if heads.contains(&Head::Base) && !has_pooler(checkpoint) {
        warnings.push(Warning::NoPooler);
    }
    for &head in heads.iter().filter(|head| survey.is_unclaimed(**head)) {
        warnings.push(Warning::UnclaimedClassifier { head });
    }
    warnings
}
