//! The pieces.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{Finish, cargo, nezha, root};

/// What a piece may have at most, as `split` takes it.
const PIECE: &str = "60M";
/// What the name of each piece begins with.
const PIECES: &str = "nezha-gpu.tar.gz.";

/// Joins the pieces and checks them.
const JOIN: &str = "\
#!/bin/sh
# Checks the pieces, joins and unpacks them beside this script.
set -eu
cd \"$(dirname \"$0\")\"
sha256sum -c SHA256SUMS
cat nezha-gpu.tar.gz.* | tar -xz
";

/// Starts the run.
const RUN: &str = "\
#!/bin/sh
# Asks everything; results/ has the answers as they come. Options: ./run.sh --help
set -eu
cd \"$(dirname \"$0\")\"
exec ./xtask gpu run \"$@\"
";

/// Make the pieces.
#[derive(clap::Args)]
pub(crate) struct Pack {
    /// The folder for the pieces.
    #[arg(short, long, default_value = "target/gpu/pieces")]
    output: PathBuf,
    /// CUDA, cuDNN and cuBLAS too, as pip has them for this major version of CUDA; without it the other
    /// machine has to have them.
    #[arg(long, value_name = "MAJOR")]
    cuda: Option<u32>,
    /// TensorRT too; with --cuda.
    #[arg(long, requires = "cuda")]
    tensorrt: bool,
    /// ONNX Runtime's build for CPUs in place of that for GPUs: to try a pack where no GPU is.
    #[arg(long, conflicts_with = "cuda")]
    cpu: bool,
}

impl Pack {
    /// Builds, gathers, packs and splits.
    pub(super) fn make(&self) -> Result<()> {
        let folder = root().join("target/gpu/pack");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(folder.join("lib"))?;
        cargo()
            .args(["build", "--release", "--workspace", "--bin", "nezha"])
            .finish()?;
        let built = env::current_exe().context("this program has no file")?;
        copy(&built, &folder.join("xtask"))?;
        copy(&built.with_file_name("nezha"), &folder.join("nezha"))?;
        script(&folder.join("run.sh"), RUN)?;
        for name in ["tests/fixtures", "models", "benches/peers"] {
            copy_folder(&root().join(name), &folder.join(name))?;
        }
        self.libraries(&folder.join("lib"))?;
        self.split(&folder)
    }

    fn libraries(&self, lib: &Path) -> Result<()> {
        let setup: &[&str] = match self.cpu {
            true => &["setup"],
            false => &["setup", "--gpu"],
        };
        nezha().args(setup).finish()?;
        let doctor = nezha().args(["doctor", "--json"]).output()?;
        let report: serde_json::Value = serde_json::from_slice(&doctor.stdout)?;
        let cache = report["onnx_runtime"]["cache"].as_str();
        let cache = Path::new(cache.context("doctor names no cache")?);
        let name = match self.cpu {
            true => "onnxruntime-",
            false => "onnxruntime-gpu-",
        };
        let found = fs::read_dir(cache)?.flatten().find(|it| {
            let file = it.file_name();
            let version = file.to_str().and_then(|it| it.strip_prefix(name));
            version.is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()))
        });
        let found = found.with_context(|| format!("{}: no {name}*", cache.display()))?;
        copy_folder(&found.path(), lib)?;
        match self.cuda {
            Some(major) => self.nvidia(major, lib),
            None => Ok(()),
        }
    }

    /// NVIDIA's libraries out of their wheels.
    fn nvidia(&self, major: u32, lib: &Path) -> Result<()> {
        let mut names: Vec<String> = ["cuda-runtime", "cublas", "cufft", "curand", "cuda-nvrtc"]
            .map(|it| match major {
                ..=12 => format!("nvidia-{it}-cu{major}"),
                _ => format!("nvidia-{it}"),
            })
            .to_vec();
        names.push(format!("nvidia-cudnn-cu{major}"));
        if self.tensorrt {
            names.push(format!("tensorrt-cu{major}-libs"));
        }
        let target = root().join("target/gpu/nvidia");
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--upgrade", "--target"]);
        pip.arg(&target).args(&names).finish()?;
        for library in libraries_below(&target)? {
            let name = library.file_name().context("a library without a name")?;
            copy(&library, &lib.join(name))?;
        }
        Ok(())
    }

    fn split(&self, folder: &Path) -> Result<()> {
        let output = root().join(&self.output);
        if output.exists() {
            fs::remove_dir_all(&output)?;
        }
        fs::create_dir_all(&output)?;
        script(&output.join("join.sh"), JOIN)?;
        let commands = format!(
            "tar -cz -C '{}' . | split -b {PIECE} -d -a 3 - '{PIECES}' && sha256sum {PIECES}* > SHA256SUMS",
            folder.display()
        );
        let done = Command::new("sh")
            .args(["-c", &commands])
            .current_dir(&output)
            .status()?;
        if !done.success() {
            bail!("tar, split or sha256sum: {done}");
        }
        let pieces = fs::read_dir(&output)?.flatten();
        let pieces = pieces.filter(|it| it.file_name().to_string_lossy().starts_with(PIECES));
        println!(
            "{} pieces in {}: copy them, then ./join.sh && ./run.sh",
            pieces.count(),
            output.display()
        );
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "a pack is made anew whole")]
fn script(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    let done = Command::new("chmod").arg("+x").arg(path).status()?;
    if !done.success() {
        bail!("chmod {}: {done}", path.display());
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| from.display().to_string())?;
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let entries = fs::read_dir(from).with_context(|| from.display().to_string())?;
    for entry in entries {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &to)?,
            false => copy(&entry.path(), &to)?,
        }
    }
    Ok(())
}

fn libraries_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            found.extend(libraries_below(&path)?);
        } else if name.starts_with("lib") && name.contains(".so") {
            found.push(path);
        }
    }
    Ok(found)
}
