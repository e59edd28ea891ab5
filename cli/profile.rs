//! `nezha profile`: where the time of a model goes, operator by operator.

mod table;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Result;
use nezha_graphs::files::write_file;
use nezha_measure::profile::{Request, flame_graph, profile};
use nezha_runtime::Session;

use crate::engine::{EngineArgs, announce};
use crate::model::model_file;
use crate::output;

/// Show where a model's time goes: by part of the model, by operator, and outside of all operators.
///
/// Runs a batch of random token ids with the engine's own profiling, which makes a run longer; the time
/// without it is shown too. Parts are those of the module path in a node's name. Any model with
/// BERT's inputs can be profiled.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The .onnx file.
    model: PathBuf,
    /// Texts in the batch.
    #[arg(long, value_name = "N", default_value = "1")]
    batch: NonZeroUsize,
    /// Tokens in each text.
    #[arg(long, value_name = "N", default_value = "128")]
    sequence: NonZeroUsize,
    /// Runs to average over; 5 more come before them and don't count.
    #[arg(long, value_name = "N", default_value = "20")]
    runs: NonZeroUsize,
    /// Operators to list.
    #[arg(long, value_name = "K", default_value_t = 15)]
    top: usize,
    /// Print one JSON document, with all operators.
    #[arg(long)]
    json: bool,
    /// Draw the parts and their operators, each as wide as its time.
    #[arg(long, value_name = "FILE.svg")]
    flame: Option<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Profiles and prints.
pub(crate) fn run(args: Args) -> Result<()> {
    let model = model_file(&args.model)?;
    let options = args.engine.options();
    let session = Session::builder()
        .engine(&args.engine.engine)
        .engine_options(options.clone())
        .load(&model)?;
    announce(&session);
    let request = Request {
        model: &model,
        batch: args.batch,
        sequence: args.sequence,
        runs: args.runs,
        options: &options,
    };
    let document = profile(&request, session)?;
    match args.json {
        true => output::json(&document)?,
        false => output::text(table::text(&document, args.top))?,
    }
    let Some(file) = &args.flame else {
        return Ok(());
    };
    write_file(file, flame_graph(&document)?)?;
    output::note(format_args!("drawn to {}", file.display()));
    Ok(())
}
