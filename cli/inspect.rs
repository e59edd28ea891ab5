//! `nezha inspect`: what a checkpoint or an `.onnx` holds.

mod text;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nezha_exporter::inspect::{diagram, inspect, read_model};
use nezha_graphs::files::write_file;
use nezha_graphs::listing;

use crate::checkpoint_options::{self, CheckpointOptions};
use crate::output;

/// Show what a checkpoint or an .onnx holds: heads, inputs and outputs, parameters, sizes, operators.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A checkpoint (its folder, its weights, or its name on the Hugging Face hub), an .onnx file, or
    /// a folder with one.
    path: PathBuf,
    #[command(flatten)]
    open: CheckpointOptions,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// Print the graph of an .onnx as text, a line for each node.
    #[arg(long, conflicts_with = "json")]
    listing: bool,
    /// Draw one layer of an .onnx, or what --scope names, as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// The layer to draw.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "svg")]
    layer: usize,
    /// Draw the nodes whose names start with this, such as nezha.pooler, instead of a layer.
    #[arg(
        long,
        value_name = "PREFIX",
        requires = "svg",
        conflicts_with = "layer"
    )]
    scope: Option<String>,
}

/// Looks and says what is there.
pub(crate) fn run(args: Args) -> Result<()> {
    let inspected = || -> Result<_> {
        let path = checkpoint_options::locate(&args.path)?;
        Ok(inspect(&path, &args.open.open_options()?)?)
    };
    if let Some(file) = &args.svg {
        draw(&args, file)?;
    }
    if args.json {
        output::json(&inspected()?)
    } else if args.listing {
        output::text(listing(&read_model(&args.path)?))
    } else if args.svg.is_none() {
        output::text(text::report(&inspected()?))
    } else {
        Ok(())
    }
}

fn draw(args: &Args, file: &Path) -> Result<()> {
    let layer = format!("nezha.encoder.layer.{}", args.layer);
    let scope = args.scope.as_deref().unwrap_or(&layer);
    let model = read_model(&args.path)?;
    let graph = model.graph.as_ref().context("the model has no graph")?;
    let svg = diagram(graph, scope)?;
    write_file(file, svg)?;
    output::note(format_args!("{scope} drawn to {}", file.display()));
    Ok(())
}
