//! `nezha score part`: what a worker does.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use nezha_runtime::EngineChoice;
use nezha_score::{EngineIdentity, ModelIdentity, Progress, Status, Work};

use super::whole::{answer, go_on_hint, stop_with_stdin};
use super::{WorkArgs, load};
use crate::engine::EngineResources;
use crate::output::{line, note};

/// Answer some parts of a plan. Parts that are done are skipped, so it may be repeated and run by several
/// workers at once.
///
/// Rows without answer are counted when the work is finished; the exit code is 0 once the parts are
/// there.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The output of the plan.
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// A part, counted from 0, or several: 16-23. By default all that are not done.
    #[arg(long, value_name = "A-B", value_parser = range, conflicts_with = "slice")]
    parts: Option<Range<usize>>,
    /// The parts of worker I of N, counted from 0: `--slice $JOB_COMPLETION_INDEX/8`.
    #[arg(long, value_name = "I/N", value_parser = slice)]
    slice: Option<(usize, usize)>,
    /// The model, if it is elsewhere than in the plan; its digest has to be the plan's.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// The engine, by default the plan's; another one is refused.
    #[arg(long, help_heading = "Engine")]
    engine: Option<EngineChoice>,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    resources: EngineResources,
}

/// Answers.
pub(super) fn run(args: Args) -> Result<()> {
    if args.work.stop_with_stdin {
        stop_with_stdin();
    }
    let work = match Work::open(&args.output) {
        // A worker that comes late, or again.
        Err(nezha_score::ScoreError::NoPlan { .. })
            if Status::of(&args.output).is_ok_and(|it| it.finished) =>
        {
            note("nothing to do: the work is finished");
            return Ok(());
        }
        work => work?,
    };
    let plan = work.plan();
    let parts = match (args.parts, args.slice) {
        (Some(parts), _) => parts,
        (None, Some((number, of))) => plan.slice(number, of),
        (None, None) => 0..plan.parts.len(),
    };
    if work.missing(parts.clone())?.is_empty() {
        return line(format_args!("nothing to do: these parts are done"));
    }
    let model = args.model.unwrap_or_else(|| plan.model.path.clone());
    plan.model
        .check(&ModelIdentity::of(&model, plan.asked.heads())?)?;
    let choice = match args.engine {
        Some(choice) => choice,
        None => plan.engine.name.parse()?,
    };
    let options = args.work.engine_options(&choice, args.resources.options());
    let scorer = load(&model, &plan.asked, &choice, &options)?;
    plan.engine.check(&EngineIdentity::of(scorer.session()))?;
    go_on_hint();
    let progress = Arc::new(Progress::default());
    answer(&work, parts.clone(), scorer.as_ref(), &args.work, &progress)?;
    line(format_args!(
        "parts {}-{} are done: {} rows in this run, {} without answer",
        parts.start,
        parts.end.saturating_sub(1),
        progress.counts().rows,
        progress.counts().failed,
    ))
}

fn range(text: &str) -> Result<Range<usize>, String> {
    let expected = || format!("'{text}': expected a part or A-B, such as 16-23");
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse::<usize>().map_err(|_| expected());
    let (first, last) = (number(first)?, number(last)?);
    match first <= last && last < usize::MAX {
        true => Ok(first..last + 1),
        false => Err(expected()),
    }
}

fn slice(text: &str) -> Result<(usize, usize), String> {
    let expected = || format!("'{text}': expected I/N with I below N, such as 0/8");
    let (number, of) = text.split_once('/').ok_or_else(expected)?;
    match (number.parse(), of.parse()) {
        (Ok(number), Ok(of)) if number < of => Ok((number, of)),
        _ => Err(expected()),
    }
}
