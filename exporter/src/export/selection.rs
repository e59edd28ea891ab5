use nezha_graphs::Head;

use super::survey::has_pooler;
use super::{ExportError, ExportOptions, Heads, Survey, Unavailable, Warning};
use crate::checkpoint::Checkpoint;

/// The heads to export, those to skip, and warnings about them.
pub(super) struct Selection {
    pub heads: Vec<Head>,
    pub skipped: Vec<(Head, Unavailable)>,
    pub warnings: Vec<Warning>,
}

impl Selection {
    pub(super) fn new(
        checkpoint: &Checkpoint,
        options: &ExportOptions,
    ) -> Result<Self, ExportError> {
        let own = match &options.heads {
            Heads::Named(heads) => heads.as_slice(),
            Heads::Default | Heads::All => &[],
        };
        let survey = Survey::with(checkpoint, own).map_err(|source| ExportError::Build {
            folder: checkpoint.folder().to_owned(),
            source,
        })?;
        let all = options.heads == Heads::All;
        let refused = |head, reason| ExportError::Head {
            folder: checkpoint.folder().to_owned(),
            head,
            reason: Box::new(reason),
            available: survey.available(),
        };
        let mut heads = Vec::new();
        let mut skipped = Vec::new();
        for head in named(checkpoint, &survey, &options.heads)? {
            // Every other head needs the encoder: without it there is no head at all.
            match survey.check(head) {
                Err(reason) if !all || head == Head::Base => return Err(refused(head, reason)),
                Err(reason) => skipped.push((head, reason)),
                Ok(()) => heads.push(head),
            }
        }
        if all {
            heads.retain(|&head| match unfit(checkpoint, &survey, options, head) {
                None => true,
                Some(reason) => {
                    skipped.push((head, reason));
                    false
                }
            });
            skipped.sort_by_key(|(head, _)| *head);
        }
        if heads.is_empty() {
            return Err(ExportError::NoneLeft {
                folder: checkpoint.folder().to_owned(),
                skipped,
            });
        }
        let warnings = warnings(checkpoint, &survey, &heads, options);
        Ok(Self {
            heads,
            skipped,
            warnings,
        })
    }
}

/// Why a head that the checkpoint has is skipped when all heads are exported.
fn unfit(
    checkpoint: &Checkpoint,
    survey: &Survey,
    options: &ExportOptions,
    head: Head,
) -> Option<Unavailable> {
    if survey.is_unclaimed(head) {
        return Some(Unavailable::Unclaimed);
    }
    let checked = options.graph.check(checkpoint.config(), head);
    checked.err().map(Unavailable::Option)
}

/// The heads that `wanted` means, without repetitions.
fn named(
    checkpoint: &Checkpoint,
    survey: &Survey,
    wanted: &Heads,
) -> Result<Vec<Head>, ExportError> {
    let config = checkpoint.config();
    let heads = match wanted {
        Heads::All => Head::ALL.to_vec(),
        Heads::Named(heads) => heads.clone(),
        Heads::Default => match config.heads().first() {
            Some(&head) => vec![head],
            None => only_head(survey).into_iter().collect(),
        },
    };
    if heads.is_empty() {
        return Err(ExportError::NoHead {
            folder: checkpoint.folder().to_owned(),
            found: config.architectures.clone(),
            available: survey.available(),
        });
    }
    let first = |(i, head): &(usize, &Head)| !heads[..*i].contains(head);
    let once = heads.iter().enumerate().filter(first);
    Ok(once.map(|(_, head)| *head).collect())
}

/// The head of a checkpoint whose config names no class, if its tensors leave only one: the only
/// head beside the base model, or the base model if no head has any tensor.
fn only_head(survey: &Survey) -> Option<Head> {
    let available = survey.available();
    let is_untrained = |head: &Head| {
        let check = survey.check(*head);
        matches!(check, Err(Unavailable::NotTrained { .. }))
    };
    match available.as_slice() {
        [] => Some(Head::Base),
        [Head::Base] => {
            let mut others = Head::ALL.iter().filter(|it| **it != Head::Base);
            others.all(is_untrained).then_some(Head::Base)
        }
        [only] | [Head::Base, only] => Some(*only),
        _ => None,
    }
}

fn warnings(
    checkpoint: &Checkpoint,
    survey: &Survey,
    heads: &[Head],
    options: &ExportOptions,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for note in checkpoint.notes() {
        // Translated names and buffers that graphs compute themselves are no loss for the user.
        if !note.is_routine() {
            warnings.push(Warning::Checkpoint(note.clone()));
        }
    }
    let names = survey.unknown_tensors();
    if !names.is_empty() {
        warnings.push(Warning::UnknownTensors { names });
    }
    let pooler_wanted = options.graph.pooler && options.graph.pooling.is_none();
    if heads.contains(&Head::Base) && pooler_wanted && !has_pooler(checkpoint) {
        warnings.push(Warning::NoPooler);
    }
    if options.heads == Heads::Default && checkpoint.config().heads().is_empty() {
        let heads = heads.iter().map(|&head| Warning::HeadFromTensors { head });
        warnings.extend(heads);
        return warnings;
    }
    for &head in heads.iter().filter(|head| survey.is_unclaimed(**head)) {
        warnings.push(Warning::UnclaimedClassifier { head });
    }
    warnings
}
