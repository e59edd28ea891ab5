//! `nezha score --stream`: Arrow in, Arrow out.

use std::io;

use anyhow::Result;
use nezha_score::{Asked, Progress, Scorer, stream};

use crate::output::{self, note};

/// Answers until standard input ends.
pub(super) fn answer(
    scorer: &dyn Scorer,
    asked: &Asked,
    columns: &[String],
    prefix: &str,
) -> Result<()> {
    let progress = Progress::default();
    let input = io::stdin().lock();
    let counts = stream(
        input,
        output::bytes(),
        scorer,
        asked,
        columns,
        prefix,
        &progress,
    )?;
    note(format_args!(
        "{} rows, {} truncated, {} without answer",
        counts.rows, counts.truncated, counts.failed
    ));
    // The rows have gone on with their errors: what to do about them is up to who reads them.
    Ok(())
}
