//! `nezha score finish`: the parts become the output.

use std::path::PathBuf;

use anyhow::Result;
use nezha_score::{Manifest, ScoreError, Work};

use super::settle;
use crate::output::line;

/// Check that every part is there with all its rows, and join them.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The output of the plan.
    #[arg(value_name = "OUT")]
    output: PathBuf,
}

/// Finishes.
pub(super) fn run(args: Args) -> Result<()> {
    let manifest = match Work::open_alone(&args.output) {
        Ok(work) => work.finish()?,
        Err(no_plan @ ScoreError::NoPlan { .. }) => Manifest::load(&args.output)?.ok_or(no_plan)?,
        Err(error) => return Err(error.into()),
    };
    line(format_args!(
        "{}: {} rows, {} truncated, {} without answer",
        args.output.display(),
        manifest.rows,
        manifest.truncated,
        manifest.failed
    ))?;
    settle(manifest.failed, manifest.rows)
}
