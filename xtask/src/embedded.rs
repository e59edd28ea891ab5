//! `examples/embedded`: built static, run where nothing else is, measured.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use wait4::Wait4;

use crate::{Finish, cargo, nezha, root};

const CHECKPOINT: &str = "models/nezha-tiny-zh-sentiment";
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// The second one has the kernel asked for the seeds of hash maps: a static program would look for
/// `/dev/urandom`, which an empty folder has not got.
const FLAGS: &str = "-C target-feature=+crt-static --cfg getrandom_backend=\"linux_getrandom\"";
const TEXT: &str = "房间很干净，服务热情，下次还会住。";

/// Starts that are measured.
const STARTS: usize = 21;

/// Builds, runs and prints what it took.
pub(crate) fn embedded() -> Result<()> {
    let work = Path::new("target/embedded");
    let (folder, packed) = (work.join("model"), work.join("model.nezha"));
    let mut export = nezha();
    export.args(["export", CHECKPOINT, "--force", "-o"]);
    export.arg(&folder).finish()?;
    // The vocabulary alone says the same, and is read sooner.
    fs::remove_file(root().join(&folder).join("tokenizer.json"))?;
    let mut pack = nezha();
    pack.arg("pack").arg(&folder).args(["--force", "-o"]);
    pack.arg(&packed).finish()?;

    let root = root().canonicalize()?;
    let built = work.join("build");
    let mut build = cargo();
    build.args(["build", "--release", "--target", TRIPLE]);
    build.args(["--manifest-path", "examples/embedded/Cargo.toml"]);
    build.arg("--target-dir").arg(&built);
    build.env("NEZHA_MODEL", root.join(&packed));
    build.env("RUSTFLAGS", FLAGS).finish()?;
    let program = root.join(built).join(TRIPLE).join("release/nezha-embedded");

    alone(&program, &root.join(work).join("empty"))?;
    let mut starts = (0..STARTS)
        .map(|_| start(&program))
        .collect::<Result<Vec<_>>>()?;
    starts.sort_unstable();
    let (took, memory) = starts[STARTS / 2];
    let [all, model] = [&program, &root.join(packed)].map(|it| fs::metadata(it).map(|it| it.len()));
    let (all, model) = (all?, model?);
    println!("| what | measured |\n|---|---:|");
    println!(
        "| executable without the model | {:.1} MB |",
        (all - model) as f64 / 1e6
    );
    println!("| model | {:.1} MB |", model as f64 / 1e6);
    println!("| start of the process to the first answer, median of {STARTS} | {took:.1?} |");
    println!(
        "| peak of resident memory | {:.1} MB |",
        memory as f64 / 1e6
    );
    Ok(())
}

/// Runs the program where its own file is all that there is: no other file, no network, no environment.
fn alone(program: &Path, empty: &Path) -> Result<()> {
    if empty.exists() {
        fs::remove_dir_all(empty)?;
    }
    fs::create_dir_all(empty)?;
    fs::copy(program, empty.join("embedded"))?;
    let mut alone = Command::new("unshare");
    alone
        .args(["--map-root-user", "--net", "--root"])
        .arg(empty);
    alone.args(["/embedded", TEXT]).env_clear();
    let output = alone.output().context("unshare does not start")?;
    let answer = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || !answer.starts_with("positive") {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("in an empty folder it answers '{answer}' and says '{error}'");
    }
    println!("in an empty root folder, without network and environment: {answer}");
    Ok(())
}

/// How long a process takes to its first answer, and the memory that it has at most.
fn start(program: &Path) -> Result<(Duration, u64)> {
    let mut command = Command::new(program);
    command.arg(TEXT).env_clear().stdout(Stdio::piped());
    let begin = Instant::now();
    let mut child = command.spawn()?;
    let out = child.stdout.take().context("there is no output")?;
    let mut answer = String::new();
    BufReader::new(out).read_line(&mut answer)?;
    let took = begin.elapsed();
    let ended = child.wait4()?;
    match ended.status.success() && answer.starts_with("positive") {
        true => Ok((took, ended.rusage.maxrss)),
        false => bail!("it answers '{answer}'"),
    }
}
