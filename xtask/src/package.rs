//! `cargo xtask package`: every crate that is published, packed, and built and tested from what was packed.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{Finish, cargo, root, target};

/// What is published, in the order of dependence.
const CRATES: [&str; 9] = [
    "nezha-graphs",
    "nezha-exporter",
    "nezha-runtime",
    "nezha-hub",
    "nezha-verify",
    "nezha-measure",
    "nezha-score",
    "nezha-cli",
    "nezha-onnx",
];
/// Bytes that a packed crate may have.
const LARGEST: u64 = 2 << 20;
/// What each has to bring.
const FILES: [&str; 4] = ["Cargo.toml", "README.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// Packs the crates, checks their sizes and files, and tests each as it was packed.
pub(crate) fn package(verify: bool) -> Result<()> {
    let mut package = cargo();
    package.args(["package", "--no-verify"]);
    for name in CRATES {
        package.args(["--package", name]);
    }
    package.finish()?;
    let packed = target()?.join("package");
    let workspace = packed.join("workspace");
    if workspace.exists() {
        fs::remove_dir_all(&workspace)?;
    }
    fs::create_dir(&workspace)?;
    for name in CRATES {
        unpack(name, &packed, &workspace)?;
    }
    if verify { test(&workspace) } else { Ok(()) }
}

/// Checks a packed crate, and unpacks it as a folder of its name.
fn unpack(name: &str, packed: &Path, workspace: &Path) -> Result<()> {
    let stem = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
    let path = packed.join(format!("{stem}.crate"));
    let file = fs::metadata(&path).with_context(|| path.display().to_string())?;
    println!("{:8.1} kB  {name}", file.len() as f64 / 1024.0);
    if file.len() > LARGEST {
        bail!("{}: more than {LARGEST} bytes", path.display());
    }
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(&path).arg("-C").arg(workspace);
    tar.finish()?;
    let folder = workspace.join(name);
    fs::rename(workspace.join(stem), &folder)?;
    match FILES.iter().find(|it| !folder.join(it).is_file()) {
        Some(missing) => bail!("{}: no {missing}", path.display()),
        None => Ok(()),
    }
}

/// Builds libraries, examples and the command, and runs unit tests and the examples of the documentation, in
/// a workspace that holds the unpacked crates and nothing else of the repository.
///
/// It has the repository's profiles and lock file and builds in its target folder, so that dependencies
/// are built already.
fn test(workspace: &Path) -> Result<()> {
    fs::copy(root().join("Cargo.lock"), workspace.join("Cargo.lock"))?;
    write_manifest(workspace)?;
    let target = target()?;
    let run = |arguments: &[&str]| {
        let mut test = cargo();
        test.args(["test", "--release", "--workspace"]);
        test.args(arguments).current_dir(workspace);
        // The repository's checkpoints are not in any crate.
        test.env(crate::TARGET, &target).env("NEZHA_REPOSITORY", "");
        test.finish_here()
    };
    run(&["--lib", "--bins", "--examples"])?;
    run(&["--doc"])
}

/// The manifest of a workspace in which each crate finds the others.
#[expect(clippy::disallowed_methods, reason = "in cargo's own folder")]
fn write_manifest(workspace: &Path) -> Result<()> {
    let repository = fs::read_to_string(root().join("Cargo.toml"))?;
    let profiles = repository.find("[profile.release]");
    let profiles = profiles.map_or("", |at| &repository[at..]);
    let patches = CRATES.map(|name| format!("{name} = {{ path = \"{name}\" }}\n"));
    let manifest = format!(
        "[workspace]\nmembers = [\"nezha-*\"]\nresolver = \"3\"\n\n[patch.crates-io]\n{}\n{profiles}",
        patches.concat()
    );
    fs::write(workspace.join("Cargo.toml"), manifest)?;
    Ok(())
}
