//! Every combination of features that is promised, checked, and what each of them brings.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};

use crate::{Finish, cargo};

/// A crate and the features that a program may turn on, alone or together.
const PROMISED: [(&str, &[&str]); 2] = [
    (
        "nezha-runtime",
        &[
            "",
            "setup",
            "ort",
            "openvino",
            "tract",
            "pipelines",
            "decoder",
            "decoder,pipelines",
            "decoder,ort",
            "openvino,pipelines",
            "pipelines,tract",
        ],
    ),
    (
        "nezha-onnx",
        &[
            "",
            "setup",
            "ort",
            "openvino",
            "tract",
            "pipelines",
            "decoder",
            "hub",
            "verify",
            "measure",
            "ort,pipelines",
            "decoder,pipelines,tract",
            "ort,verify",
            "cli",
            "cli,ort",
            "cli,hub,openvino,ort",
            "cli,hub,openvino,ort,tract",
        ],
    ),
];

/// Checks each combination without warnings, and prints how many crates it takes.
pub(crate) fn features() -> Result<()> {
    println!("| crate | features | crates |\n|---|---|---|");
    for (package, combinations) in PROMISED {
        for features in combinations {
            let chosen = [
                "-p",
                package,
                "--no-default-features",
                "--features",
                features,
            ];
            let mut check = cargo();
            check.args(["clippy", "--quiet"]).args(chosen);
            check.args(["--", "-D", "warnings"]);
            let context = || format!("{package} with the features '{features}'");
            check.finish().with_context(context)?;
            println!("| {package} | {features} | {} |", crates(&chosen)?);
        }
    }
    Ok(())
}

/// How many crates are compiled into one, itself among them.
fn crates(chosen: &[&str]) -> Result<usize> {
    let mut tree = cargo();
    tree.args(["tree", "--edges", "normal", "--prefix", "none"]);
    tree.args(["--format", "{p}"]).args(chosen);
    tree.current_dir(crate::root());
    let output = tree.output().context("cargo tree does not start")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let crates = text.lines().filter(|it| !it.is_empty());
    let crates: BTreeSet<&str> = crates.map(|it| it.trim_end_matches(" (*)")).collect();
    Ok(crates.len())
}
