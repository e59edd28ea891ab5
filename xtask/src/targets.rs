//! The libraries, checked for machines that this one is not.

use anyhow::{Context, Result};

use crate::cargo;
use crate::output::without_warnings;

/// A crate, and the features that a program takes.
type Library = (&'static str, &'static str);

const GRAPHS: Library = ("nezha-graphs", "");
const EXPORTER: Library = ("nezha-exporter", "");
const TRACT: Library = ("nezha-runtime", "pipelines,tract");
const ORT: Library = ("nezha-runtime", "ort,pipelines");

/// Machines, and the libraries that compile for them here. tract's kernels for macOS need Apple's compiler. A
/// program in a browser has to choose where its random numbers come from, so no library alone compiles with
/// tract. WebAssembly loads no library of ONNX Runtime's.
const TARGETS: [(&str, &[Library]); 6] = [
    ("aarch64-apple-darwin", &[GRAPHS, EXPORTER, ORT]),
    ("aarch64-unknown-linux-gnu", &[GRAPHS, EXPORTER, TRACT, ORT]),
    ("wasm32-unknown-unknown", &[GRAPHS, EXPORTER]),
    ("wasm32-wasip1", &[GRAPHS, EXPORTER, TRACT]),
    ("x86_64-pc-windows-gnu", &[GRAPHS, EXPORTER, TRACT, ORT]),
    ("x86_64-unknown-linux-musl", &[GRAPHS, EXPORTER, TRACT, ORT]),
];

/// Checks each library for each machine.
pub(crate) fn targets() -> Result<()> {
    for (target, libraries) in TARGETS {
        for (package, features) in libraries {
            let mut check = cargo();
            check.args(["check", "-p", package, "--target", target]);
            check.args(["--no-default-features", "--features", features]);
            check.args(["--target-dir", "target/targets"]);
            without_warnings(&mut check).with_context(|| {
                format!(
                    "{package} with the features '{features}' for {target}; is its standard library there? \
                     `rustup target add {target}` installs it, and tract needs a C compiler for {target}"
                )
            })?;
            println!("{target}: {package} with the features '{features}'");
        }
    }
    Ok(())
}
