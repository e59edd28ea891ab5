//! The project's own chores: `cargo xtask test | gpu | gpu-build | features | targets | capi | embedded |
//! bless | fixtures | interop | cluster | peers | soak | wheel`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a chore says what it does"
)]

mod capi;
mod embedded;
mod features;
mod gpu;
mod interop;
mod output;
mod package;
mod soak;
mod targets;
mod wheel;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;

use anyhow::{Context, Result, bail};
use clap::Parser;

use output::typed;

/// Chores of the repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Xtask {
    /// Install ONNX Runtime and OpenVINO where they are missing, then run every test in the release profile.
    Test {
        /// Passed on to cargo test.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Install ONNX Runtime's build for GPUs, then test it where no GPU is.
    GpuBuild {
        /// Passed on to the tests, such as `--nocapture placement`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Prove CUDA and TensorRT on a machine that has a GPU: `pack` here, `run` there.
    #[command(subcommand)]
    Gpu(gpu::Gpu),
    /// Pack every crate that is published, check its size and files, then build and test it from what was
    /// packed, beside the others alone.
    Package {
        /// Only pack, which takes seconds.
        #[arg(long)]
        no_verify: bool,
    },
    /// Check every combination of features that is promised, then print what each feature costs in crates,
    /// seconds of building and bytes; half an hour, and gigabytes in target/features meanwhile.
    Features {
        /// Only check, with what linting in the release profile has left in the target folder.
        #[arg(long)]
        check: bool,
    },
    /// Check that the libraries compile for other machines, without a warning; minutes.
    Targets,
    /// Compile a C program against the C interface, and run it under sanitizers of addresses and undefined
    /// behavior; needs gcc.
    Capi,
    /// Build `examples/embedded` static, run it in an empty root folder, and measure it; a quarter of an hour.
    Embedded,
    /// Rewrite the golden listings and the command line's snapshots from what there is now.
    Bless,
    /// Make the fixtures anew with transformers, then check every exported head with onnx.checker.
    Fixtures {
        /// A Python that has tests/fixtures/requirements.txt installed.
        #[arg(long, default_value = "python3")]
        python: PathBuf,
    },
    /// Measure our artifact, the same random weights in other stacks and a plain BERT side by side;
    /// target/peers/peers.md, .csv and .svg tell the results.
    Peers(Peers),
    /// Ask one process a million short texts and see that its memory stays; minutes to hours, and a
    /// dated file in benches/results.
    Soak(soak::Soak),
    /// Score a corpus over schedulers, each installed as pinned, kill a part of each, and see that every row
    /// is there once; minutes, and a dated file in benches/results.
    Cluster(Cluster),
    /// Load every head in other people's stacks, each installed as pinned, and print the table.
    Interop {
        /// Only the stacks whose name has this in it; `score` for files that other libraries write
        /// and read.
        #[arg(long)]
        only: Option<String>,
        /// A Python of version 3.11 with venv; onnxruntime's npm packages need a Node beside it.
        #[arg(long, default_value = "python3")]
        python: PathBuf,
    },
    /// Build the Python package, install it where nothing else is, and test it there: demo, pytest, doctests,
    /// mypy, stubtest; target/wheel/dist holds the wheel.
    Wheel(wheel::Wheel),
}

#[derive(clap::Args)]
struct Cluster {
    /// Only this one, and no result: ray, `ray_data`, dask, spark, arrays for Kubernetes and Slurm, or files for
    /// other writers and readers.
    #[arg(long)]
    only: Option<String>,
    /// The Python package as a wheel: pipelines run a second time with it, in process.
    #[arg(long, value_name = "FILE")]
    wheel: Option<PathBuf>,
    /// A Python of version 3.11 with venv; Spark needs Java 17.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
}

#[derive(clap::Args)]
struct Peers {
    /// A Python that has benches/peers/requirements.txt installed.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Batch x tokens.
    #[arg(long, default_value = "1x16,1x64,1x128,8x128,1x512,4x512")]
    shapes: String,
    /// Time for each shape in each stack; 3 seconds are a quarter of an hour in all on two cores.
    #[arg(long, default_value = "3")]
    seconds: String,
    /// Threads of a run in each stack.
    #[arg(long, default_value = "2")]
    threads: String,
    /// Measure what other exporters made in an earlier call, in place of making it anew.
    #[arg(long)]
    made: bool,
    /// Measure our artifacts in OpenVINO beside a BERT instead, for which Python needs no torch:
    /// target/peers/openvino.md tells the results.
    #[arg(long)]
    openvino: bool,
    /// With --openvino: beside torch's exports too, which an earlier call without --openvino left, and NNCF's 8
    /// bits.
    #[arg(long, requires = "openvino")]
    others: bool,
}

fn main() -> ExitCode {
    if let Some(compiled) = features::times::in_place_of_rustc() {
        return compiled.unwrap_or_else(|error| failed(&error));
    }
    let result = match Xtask::parse() {
        Xtask::Test { arguments } => test(&arguments),
        Xtask::Gpu(command) => gpu::gpu(&command),
        Xtask::Package { no_verify } => package::package(!no_verify),
        Xtask::GpuBuild { arguments } => gpu_build(&arguments),
        Xtask::Features { check } => features::features(check),
        Xtask::Targets => targets::targets(),
        Xtask::Capi => capi::capi(),
        Xtask::Embedded => embedded::embedded(),
        Xtask::Bless => bless(),
        Xtask::Fixtures { python } => fixtures(&python),
        Xtask::Peers(arguments) => peers(&arguments),
        Xtask::Soak(options) => soak::soak(&options),
        Xtask::Cluster(options) => cluster(&options),
        Xtask::Wheel(options) => wheel::wheel(&options),
        Xtask::Interop { only, python } if only.as_deref() == Some("score") => cluster(&Cluster {
            only: Some("files".to_owned()),
            wheel: None,
            python,
        }),
        Xtask::Interop { only, python } => interop::interop(only, &python),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

fn test(arguments: &[OsString]) -> Result<()> {
    let program = built()?;
    let tests = |how: &[&str]| {
        let mut tests = cargo();
        tests.args(["test", "--release", "--workspace"]);
        tests.args(how).args(arguments).finish()
    };
    // The engines are downloaded while the tests are compiled; those that arguments choose may be few.
    thread::scope(|scope| {
        let engines = scope.spawn(|| {
            Command::new(&program).arg("setup").finish()?;
            let mut openvino = Command::new(&program);
            openvino.args(["setup", "--openvino"]).finish()
        });
        if arguments.is_empty() {
            tests(&["--no-run"])?;
        }
        engines.join().expect("nothing panics there")
    })?;
    tests(&[])
}

fn gpu_build(arguments: &[OsString]) -> Result<()> {
    nezha().args(["setup", "--gpu"]).finish()?;
    let mut tests = cargo();
    tests.args(["test", "--release", "--workspace", "--test", "gpu_build"]);
    tests.arg("--").args(arguments).finish()
}

fn bless() -> Result<()> {
    let mut tests = cargo();
    tests.args(["test", "--release", "--workspace"]);
    tests.args(["--test", "golden", "--test", "cli"]);
    tests.env("NEZHA_BLESS", "1").env("SNAPSHOTS", "overwrite");
    tests.finish()
}

fn fixtures(python: &Path) -> Result<()> {
    let folder = Path::new("tests/fixtures");
    for script in ["make.py", "own_heads.py", "text/make_text.py"] {
        Command::new(python).arg(folder.join(script)).finish()?;
    }
    let exported = Path::new("target/fixtures");
    for configuration in subfolders(folder)? {
        for head in subfolders(&configuration)? {
            let target = exported.join(head.strip_prefix(folder)?);
            let name = head.file_name().context("a folder without name")?;
            let mut export = nezha();
            export.arg("export").arg(&head).arg("-o").arg(&target);
            export.arg("--head").arg(name).arg("--force");
            export
                .args(["--outputs", "hidden-states,attentions"])
                .finish()?;
        }
    }
    Command::new(python)
        .arg(folder.join("check_onnx.py"))
        .arg(exported)
        .finish()
}

/// What ONNX Runtime measures; the plain BERT comes first, whose time `nezha bench` divides by.
const PEERS: [&str; 6] = [
    "bert",
    OURS,
    "torchscript",
    "dynamo",
    "bert_int8",
    "ours/model_int8",
];
const OURS: &str = "ours/model";
/// More than there is time for: short shapes have as many runs as their seconds hold.
const RUNS: &str = "1000";

fn peers(arguments: &Peers) -> Result<()> {
    let folder = Path::new("target/peers");
    let script = |name| {
        let mut script = Command::new(&arguments.python);
        script
            .arg(Path::new("benches/peers").join(name))
            .arg(folder);
        script
    };
    if arguments.openvino {
        return peers_in_openvino(arguments, script("in_openvino.py"));
    }
    if !arguments.made {
        script("make.py").finish()?;
    }
    let mut export = nezha();
    export.arg("export").arg(folder.join("checkpoint"));
    export.args(["--head", "base", "--dtype", "fp32,int8", "--force", "-o"]);
    export.arg(folder.join("ours")).finish()?;

    let bench = |models: &[&str], engines| {
        let models = models.iter();
        let files = models.map(|it| folder.join(it).with_extension("onnx"));
        let mut bench = nezha();
        // Where an exporter failed there is no file; make.py keeps the reason for the report.
        bench
            .arg("bench")
            .args(files.filter(|it| root().join(it).exists()));
        bench.args(["--engines", engines, "--runs", RUNS]);
        bench
    };
    let measure = |mut command: Command, results| {
        let results = folder.join(results);
        // What fails must not be told by an earlier call's numbers.
        match fs::remove_file(root().join(&results)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        command.args([
            "--shapes",
            &arguments.shapes,
            "--seconds",
            &arguments.seconds,
        ]);
        command.args(["--threads", &arguments.threads, "--json"]);
        command.arg(results).finish()
    };
    let measured = [
        measure(bench(&PEERS, "ort:cpu"), "onnx.json"),
        measure(bench(&[OURS], "ort:cpu,tract"), "tract.json"),
        measure(script("python_peers.py"), "python.json"),
    ];
    script("report.py").finish()?;
    // What failed is a row of the report.
    measured.into_iter().collect()
}

fn peers_in_openvino(arguments: &Peers, mut script: Command) -> Result<()> {
    built()?;
    script.args([
        "--seconds",
        &arguments.seconds,
        "--threads",
        &arguments.threads,
    ]);
    for (given, flag) in [(arguments.made, "--made"), (arguments.others, "--others")] {
        if given {
            script.arg(flag);
        }
    }
    script.finish()
}

/// The variable that says where cargo builds.
const TARGET: &str = "CARGO_TARGET_DIR";

fn cluster(options: &Cluster) -> Result<()> {
    let work = Path::new("target/cluster");
    let model = work.join("model");
    let mut export = nezha();
    export.args(["export", "models/nezha-tiny-zh-sentiment", "--force", "-o"]);
    export.arg(&model).finish()?;
    let mut schedulers = Command::new(&options.python);
    schedulers.args(["-B", "tests/cluster/cluster.py"]);
    schedulers.arg(built()?).arg(&model);
    schedulers.arg("--work").arg(work);
    if let Some(only) = &options.only {
        schedulers.args(["--only", only]);
    }
    if let Some(wheel) = &options.wheel {
        schedulers.arg("--wheel").arg(wheel);
    }
    schedulers.finish()
}

/// Subfolders that hold a configuration's heads, or a head's checkpoint.
fn subfolders(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = folder
        .read_dir()
        .with_context(|| folder.display().to_string())?;
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.join("config.json").exists() || path.join("base").exists() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Cargo as a shell would call it. What cargo has said of this package would have crates compiled anew whose
/// build scripts look at it, ring among them.
fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_") {
            cargo.env_remove(&*name);
        }
    }
    cargo
}

fn nezha() -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--release", "--bin", "nezha", "--"]);
    command
}

/// The command as an executable, which is built where it has to be.
fn built() -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--quiet", "--release", "--bin", "nezha"]);
    build.finish()?;
    let program = target()?.join("release/nezha");
    Ok(program.with_extension(env::consts::EXE_EXTENSION))
}

/// The folder that cargo builds in.
fn target() -> Result<PathBuf> {
    match env::var_os(TARGET) {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => Ok(root().canonicalize()?.join("target")),
    }
}

/// Runs a command and fails where it fails.
trait Finish {
    /// In the repository's root.
    fn finish(&mut self) -> Result<()>;
    /// In the folder that was set.
    fn finish_here(&mut self) -> Result<()>;
}

impl Finish for Command {
    fn finish(&mut self) -> Result<()> {
        self.current_dir(root()).finish_here()
    }

    fn finish_here(&mut self) -> Result<()> {
        let status = self.status();
        let status = status.with_context(|| typed(self))?;
        if !status.success() {
            bail!("{} ended with {status}", typed(self));
        }
        Ok(())
    }
}
