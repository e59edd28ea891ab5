//! `cargo xtask package`: every crate that is published, packed and built from what was packed.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{Finish, cargo, root};

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

/// Packs the crates, builds each from its `.crate` alone, and checks their sizes.
pub(crate) fn package(verify: bool) -> Result<()> {
    let mut package = cargo();
    package.arg("package");
    for name in CRATES {
        package.args(["--package", name]);
    }
    if !verify {
        package.arg("--no-verify");
    }
    package.finish()?;
    let folder = root().join("target/package");
    for name in CRATES {
        let file = format!("{name}-{}.crate", env!("CARGO_PKG_VERSION"));
        let path = folder.join(file);
        let bytes = fs::metadata(&path).with_context(|| path.display().to_string())?;
        println!("{:8.1} kB  {name}", bytes.len() as f64 / 1024.0);
        if bytes.len() > LARGEST {
            bail!("{}: more than {LARGEST} bytes", path.display());
        }
    }
    Ok(())
}
