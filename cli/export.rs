//! `nezha export`: a checkpoint becomes an artifact.

mod agreement;
mod graph_args;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum;
use clap::error::ErrorKind;
use indicatif::{ProgressBar, ProgressStyle};
use nezha_exporter::checkpoint::Checkpoint;
use nezha_exporter::{
    ExportOptions, Exported, Heads, Layout, Placement, WrittenFile, export_with_progress,
};
use nezha_graphs::{Head, Precision, UnknownHead};

use crate::checkpoint_options::CheckpointOptions;
use crate::engine::EngineResources;
use crate::verify::{self, EngineList};
use agreement::Comparison;
use graph_args::GraphArgs;

/// Write a checkpoint as ONNX.
#[derive(clap::Args)]
pub struct Args {
    /// A folder with config.json and the weights, or the file of weights itself.
    checkpoint: PathBuf,
    /// The folder to write to; made where it is missing.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// A head, or `all`; the one that the config's `architectures` names where absent. One head
    /// becomes model.onnx, several become HEAD.onnx each.
    #[arg(long = "head", value_name = "HEAD", value_parser = head)]
    heads: Vec<HeadArg>,
    #[command(flatten)]
    graph: GraphArgs,
    /// Weights and arithmetic; other than fp32, the file has it in its name: model_int8.onnx.
    #[arg(long, default_value = "fp32")]
    dtype: DTypeArg,
    /// Half precision for the weights in the file alone, which halves it; computing stays fp32.
    #[arg(long, value_name = "DTYPE")]
    storage: Option<StorageArg>,
    /// The ONNX operator set.
    #[arg(long, default_value_t = 17)]
    opset: u32,
    /// Where the weights go.
    #[arg(long, default_value = "auto")]
    weights: Weights,
    /// How the files lie: plain, optimum (ORTModelFor…), transformersjs, tei
    /// (text-embeddings-inference) or triton (a model repository, one model for each head).
    #[arg(long, default_value_t)]
    layout: Layout,
    /// Replace an artifact that is there already.
    #[arg(long)]
    force: bool,
    /// Say how near the answers are to those in fp32, each output by itself: on the lines of a file
    /// (--agreement=FILE), or without one on token ids at random. The table is kept in
    /// agreement.json beside the model. Nothing is calibrated, so that any texts do.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    agreement: Option<Option<PathBuf>>,
    /// Compare every weight with the checkpoint, and the answers of the engines with those of the
    /// built-in reference, as `nezha verify` does.
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    verification: Verification,
    #[command(flatten)]
    open: CheckpointOptions,
}

/// What `--verify` and `--agreement` ask.
#[derive(clap::Args)]
#[command(next_help_heading = "Verification")]
struct Verification {
    #[command(flatten)]
    engines: EngineList,
    #[command(flatten)]
    resources: EngineResources,
}

#[derive(Clone, Copy)]
enum HeadArg {
    All,
    One(Head),
}

#[derive(Clone, Copy, ValueEnum)]
enum Weights {
    /// Embedded for one head below 2 GB, else external.
    Auto,
    /// Inside of the .onnx.
    Embedded,
    /// In weights.DIGEST.onnx_data beside the .onnx; several heads share it.
    External,
    /// In the checkpoint's own files; the target has to be its folder.
    Linked,
}

/// The precisions that a graph computes in.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum DTypeArg {
    /// Single precision.
    Fp32,
    /// Half precision, softmax and LayerNorm's sums in single.
    Fp16,
    /// int8 weights, each token's activations with a scale of its own: answers don't depend on
    /// padding and batch.
    Int8,
    /// Weights in blocks of 8 bits, computing in single precision; ONNX Runtime only.
    Q8,
    /// Weights in blocks of 4 bits, the vocabulary's in 8; for masked-lm and pretraining ONNX
    /// Runtime only.
    Q4,
}

#[derive(Clone, Copy, ValueEnum)]
enum StorageArg {
    /// Half precision.
    Fp16,
}

fn head(text: &str) -> Result<HeadArg, UnknownHead> {
    match text {
        "all" => Ok(HeadArg::All),
        name => name.parse().map(HeadArg::One),
    }
}

/// Exports and says what was written.
pub fn run(args: Args) -> Result<()> {
    let options = options(&args);
    let is_narrow = options.precision != Precision::Fp32;
    if args.agreement.is_some() && !is_narrow {
        clap::Error::raw(
            ErrorKind::ArgumentConflict,
            "--agreement is for other precisions than fp32, which is what they are compared with\n",
        )
        .exit();
    }
    let checkpoint = Checkpoint::open(&args.checkpoint, &args.open.open_options())?;
    let mut progress = Progress::new();
    let exported = export_with_progress(&checkpoint, &args.output, &options, &mut |a, b| {
        progress.show(a, b);
    });
    progress.clear();
    let exported = exported?;
    report(&exported);
    let Verification { engines, resources } = &args.verification;
    let resources = resources.options();
    match &args.agreement {
        Some(texts) => {
            let comparison = Comparison {
                checkpoint: &checkpoint,
                export: &options,
                texts: texts.as_deref(),
                engine: &engines.choice(),
                options: &resources,
            };
            comparison.run(&exported.artifacts)?;
        }
        None if is_narrow => {
            eprintln!("note: --agreement=TEXTS says how near the answers are to those in fp32");
        }
        None => {}
    }
    if !args.verify {
        return Ok(());
    }
    let models = exported.artifacts.iter();
    let models: Vec<&Path> = models.map(|it| it.file.path.as_path()).collect();
    verify::exported(&models, &checkpoint, engines, &resources)
}

fn options(args: &Args) -> ExportOptions {
    ExportOptions {
        heads: heads(&args.heads),
        graph: args.graph.options(),
        opset: args.opset,
        precision: precision(args),
        weights: match args.weights {
            Weights::Auto => Placement::Auto,
            Weights::Embedded => Placement::Embedded,
            Weights::External => Placement::External,
            Weights::Linked => Placement::Linked,
        },
        layout: args.layout,
        force: args.force,
    }
}

fn precision(args: &Args) -> Precision {
    match (args.dtype, args.storage) {
        (DTypeArg::Fp32, None) => Precision::Fp32,
        (DTypeArg::Fp32, Some(StorageArg::Fp16)) => Precision::Fp16Storage,
        (DTypeArg::Fp16, None) => Precision::Fp16,
        (DTypeArg::Int8, None) => Precision::Int8,
        (DTypeArg::Q8, None) => Precision::Q8,
        (DTypeArg::Q4, None) => Precision::Q4,
        (_, Some(_)) => clap::Error::raw(
            ErrorKind::ArgumentConflict,
            "--storage is for --dtype fp32, which is the default: the others have their own\n",
        )
        .exit(),
    }
}

fn heads(args: &[HeadArg]) -> Heads {
    let named: Option<Vec<Head>> = args
        .iter()
        .map(|arg| match arg {
            HeadArg::All => None,
            HeadArg::One(head) => Some(*head),
        })
        .collect();
    match named {
        None => Heads::All,
        Some(heads) if heads.is_empty() => Heads::Default,
        Some(heads) => Heads::Named(heads),
    }
}

/// One line for each file on standard output; skipped heads and warnings on standard error.
fn report(exported: &Exported) {
    for warning in &exported.warnings {
        eprintln!("warning: {warning}");
    }
    for (head, reason) in &exported.skipped {
        eprintln!("skipped: {head}: {reason}");
    }
    let precision = exported.artifacts.first().map(|it| it.precision);
    let precision = precision.unwrap_or_default().name();
    let artifacts = exported.artifacts.iter().map(|it| {
        let opset = format!("opset {}", it.opset);
        (&it.file, it.head.name(), opset)
    });
    let weights = exported.weights.iter();
    let weights = weights.map(|file| (file, "weights", String::new()));
    let lines: Vec<(&WrittenFile, &str, String)> = artifacts.chain(weights).collect();

    let path = |file: &WrittenFile| file.path.display().to_string();
    let width = |column: &dyn Fn(&(&WrittenFile, &str, String)) -> usize| {
        lines.iter().map(column).max().unwrap_or(0)
    };
    let paths = width(&|(file, _, _)| path(file).chars().count());
    let whats = width(&|(_, what, _)| what.len());
    for (file, what, opset) in &lines {
        println!(
            "{:paths$}  {what:whats$}  {opset:8}  {precision}  {:>10}",
            path(file),
            size(file.bytes)
        );
    }
}

/// A number of bytes for a reader.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// A bar on standard error, for exports that take their time and have somebody watching.
struct Progress {
    start: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            bar: None,
        }
    }

    fn show(&mut self, done: u64, total: u64) {
        const PATIENCE: Duration = Duration::from_secs(1);
        if self.bar.is_none() && self.start.elapsed() > PATIENCE {
            let style =
                ProgressStyle::with_template("{bar:40} {decimal_bytes} of {decimal_total_bytes}");
            // It hides itself where standard error is no terminal.
            let bar = ProgressBar::new(total);
            self.bar =
                Some(style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)));
        }
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
