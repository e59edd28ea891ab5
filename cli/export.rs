//! `nezha export`: a checkpoint becomes an artifact.

mod agreement;
mod graph_args;
pub(crate) mod progress;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;
use clap::error::ErrorKind;
use nezha_exporter::checkpoint::Checkpoint;
use nezha_exporter::{
    ExportOptions, Exported, Heads, Layout, Placement, TritonOptions, Warning, WrittenFile,
    export_with_progress,
};
use nezha_graphs::head_spec::HeadSpecFile;
use nezha_graphs::{Gather, GraphOptions, Head, Precision, UnknownHead};
use nezha_verify::Comparison;

use crate::checkpoint_options::{self, CheckpointOptions};
use crate::engine::EngineResources;
use crate::output;
use crate::verify::{self, EngineList};
use graph_args::GraphArgs;
use progress::Bar;

/// Export a checkpoint to ONNX.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A folder with config.json and the weights, or the file of weights. If there is no such path, a model
    /// on the Hugging Face hub: owner/name or owner/name@revision.
    checkpoint: PathBuf,
    /// The folder to write to, made if it is missing.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// A head, or `all`. By default the one that the config's `architectures` names, else the only one that
    /// the tensors allow. One head becomes model.onnx, several become HEAD.onnx each.
    #[arg(long = "head", value_name = "HEAD", value_parser = head)]
    heads: Vec<HeadArg>,
    /// A TOML file that describes a head of your own: what it reads from the encoder, and what it computes
    /// with which tensors. docs/guide/own-heads.md lists the fields.
    #[arg(long = "head-spec", value_name = "FILE")]
    head_specs: Vec<PathBuf>,
    #[command(flatten)]
    graph: GraphArgs,
    /// The precision of weights and arithmetic; several write a file each. A file that is not fp32 has its
    /// precision in its name: `model_int8.onnx`.
    #[arg(
        long = "dtype",
        value_name = "DTYPE,DTYPE",
        value_delimiter = ',',
        default_value = "fp32"
    )]
    dtypes: Vec<DTypeArg>,
    /// Store the weights in half precision, which halves the file; the arithmetic stays fp32.
    #[arg(long, value_name = "DTYPE")]
    storage: Option<StorageArg>,
    /// The ONNX operator set.
    #[arg(long, default_value_t = 17)]
    opset: u32,
    /// Where the weights are stored.
    #[arg(long, default_value = "auto")]
    weights: Weights,
    /// The layout of the files: plain, optimum (`ORTModelFor`…), transformersjs, tei
    /// (text-embeddings-inference), triton (a model repository, one model for each head) or openvino.
    #[arg(long, default_value_t)]
    layout: Layout,
    /// How many instances of the model Triton runs on each device; with --layout triton.
    #[arg(long, value_name = "N")]
    instances: Option<NonZeroUsize>,
    /// Have Triton hand the graph to TensorRT, with shape profiles for up to 64 texts of 512 tokens;
    /// with --layout triton.
    #[arg(long)]
    tensorrt: bool,
    /// Replace an artifact that exists.
    #[arg(long)]
    force: bool,
    /// Compare each output with that in fp32: on the lines of a file (--agreement=FILE), or on random token
    /// ids. The result is also written beside the model, as `model_int8.agreement.json`. Nothing is
    /// calibrated, so any texts will do.
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
    /// Inside the .onnx.
    Embedded,
    /// In `weights.DIGEST.onnx_data` beside the .onnx; several heads share it.
    External,
    /// In the checkpoint's own files; --output has to be the checkpoint's folder.
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
    /// int8 weights with a scale for each output, in standard operators: what OpenVINO computes fastest.
    W8,
    /// Weights in blocks of 8 bits with a scale each; ONNX Runtime and OpenVINO only.
    Q8,
    /// Weights in blocks of 4 bits, the vocabulary's in 8; ONNX Runtime and OpenVINO only.
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
pub(crate) fn run(args: Args) -> Result<()> {
    let mut options = options(&args);
    let is_narrow = options.precisions.iter().any(|it| *it != Precision::Fp32);
    if args.agreement.is_some() && !is_narrow {
        misused("--agreement compares precisions other than fp32 with fp32: name one with --dtype");
    }
    let path = checkpoint_options::locate(&args.checkpoint)?;
    let checkpoint = Checkpoint::open(&path, &args.open.open_options()?)?;
    options.heads = heads(&args, &checkpoint)?;
    let mut bar = Bar::new();
    let exported = export_with_progress(&checkpoint, &args.output, &options, &mut |at| {
        bar.show(at.written, at.total);
        ControlFlow::Continue(())
    });
    bar.clear();
    let exported = exported?;
    report(&exported)?;
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
            agreement::compare(&comparison, &exported.artifacts)?;
        }
        None if is_narrow => {
            output::note("note: --agreement=TEXTS says how near the answers are to those in fp32");
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
    ExportOptions::default()
        .graph(graph(args))
        .opset(args.opset)
        .precisions(precisions(args))
        .weights(match args.weights {
            Weights::Auto => Placement::Auto,
            Weights::Embedded => Placement::Embedded,
            Weights::External => Placement::External,
            Weights::Linked => Placement::Linked,
        })
        .layout(args.layout)
        .triton(triton(args))
        .force(args.force)
}

/// What the arguments say of the graph.
fn graph(args: &Args) -> GraphOptions {
    if args.layout == Layout::OpenVino && args.graph.gather == Some(Gather::Elements) {
        misused("--gather elements can't be combined with --layout openvino, which uses flat");
    }
    args.graph.options()
}

fn precisions(args: &Args) -> Vec<Precision> {
    if args.storage.is_some() && !args.dtypes.contains(&DTypeArg::Fp32) {
        misused("--storage can only be combined with --dtype fp32, the default");
    }
    let precision = |dtype: &DTypeArg| match (dtype, args.storage) {
        (DTypeArg::Fp32, None) => Precision::Fp32,
        (DTypeArg::Fp32, Some(StorageArg::Fp16)) => Precision::Fp16Storage,
        (DTypeArg::Fp16, _) => Precision::Fp16,
        (DTypeArg::Int8, _) => Precision::Int8,
        (DTypeArg::W8, _) => Precision::W8,
        (DTypeArg::Q8, _) => Precision::Q8,
        (DTypeArg::Q4, _) => Precision::Q4,
    };
    args.dtypes.iter().map(precision).collect()
}

fn triton(args: &Args) -> TritonOptions {
    if args.layout != Layout::Triton && (args.instances.is_some() || args.tensorrt) {
        misused("--instances and --tensorrt can only be combined with --layout triton");
    }
    TritonOptions::default()
        .instances(args.instances)
        .tensorrt(args.tensorrt)
}

/// Ends the program as for any bad usage.
fn misused(reason: &str) -> ! {
    clap::Error::raw(ErrorKind::ArgumentConflict, format!("{reason}\n")).exit()
}

fn heads(args: &Args, checkpoint: &Checkpoint) -> Result<Heads> {
    let named: Option<Vec<Head>> = args
        .heads
        .iter()
        .map(|arg| match arg {
            HeadArg::All => None,
            HeadArg::One(head) => Some(*head),
        })
        .collect();
    let Some(mut heads) = named else {
        if !args.head_specs.is_empty() {
            misused("--head all can't be combined with --head-spec: name the heads instead");
        }
        return Ok(Heads::All);
    };
    for file in &args.head_specs {
        let spec = HeadSpecFile::open(file)?;
        heads.push(spec.resolve(checkpoint.config(), checkpoint)?);
    }
    Ok(match heads.is_empty() {
        true => Heads::Default,
        false => Heads::Named(heads),
    })
}

/// One line for each file on standard output; skipped heads and warnings on standard error.
fn report(exported: &Exported) -> Result<()> {
    for warning in &exported.warnings {
        let hint = match warning {
            Warning::Checkpoint(note) => checkpoint_options::hint(note),
            _ => None,
        };
        match hint {
            Some(hint) => output::note(format_args!("warning: {warning}; {hint}")),
            None => output::note(format_args!("warning: {warning}")),
        }
    }
    for (head, reason) in &exported.skipped {
        output::note(format_args!("skipped: {head}: {reason}"));
    }
    let mut lines: Vec<Line> = Vec::new();
    let mut all: Vec<&str> = Vec::new();
    for artifact in &exported.artifacts {
        let precision = artifact.precision.name();
        if !all.contains(&precision) {
            all.push(precision);
        }
        lines.push(Line {
            file: &artifact.file,
            what: artifact.head.name(),
            opset: format!("opset {}", artifact.opset),
            precision: precision.to_owned(),
        });
    }
    for file in &exported.weights {
        lines.push(Line {
            file,
            what: "weights",
            opset: String::new(),
            precision: all.join(","),
        });
    }
    let path = |line: &Line| line.file.path.display().to_string();
    let width = |column: &dyn Fn(&Line) -> usize| lines.iter().map(column).max().unwrap_or(0);
    let paths = width(&|it| path(it).chars().count());
    let whats = width(&|it| it.what.len());
    let precisions = width(&|it| it.precision.len());
    for line in &lines {
        output::line(format_args!(
            "{:paths$}  {:whats$}  {:8}  {:precisions$}  {:>10}",
            path(line),
            line.what,
            line.opset,
            line.precision,
            size(line.file.bytes)
        ))?;
    }
    Ok(())
}

/// What is said of a file.
struct Line<'e> {
    file: &'e WrittenFile,
    what: &'static str,
    opset: String,
    precision: String,
}

/// A number of bytes for a reader.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
