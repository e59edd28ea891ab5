//! Every combination of features that is promised: it compiles without a warning, and brings no engine that it
//! doesn't name.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::stdout;
use crate::{TARGET, cargo, root};

/// A crate and the features that a program may turn on, alone or together. The facade hands its features on to
/// the crates behind it.
const PROMISED: [(&str, &[&str]); 2] = [
    ("nezha-runtime", &["", "pipelines,tract"]),
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
            "score",
            "decoder,ort",
            "decoder,pipelines",
            "openvino,pipelines",
            "ort,pipelines",
            "decoder,pipelines,tract",
            "ort,verify",
            "cli",
            "cli,ort",
            "cli,hub,openvino,ort,score",
            "cli,hub,openvino,ort,tract",
        ],
    ),
];

/// An engine's feature, and the crate that it brings.
const ENGINES: [(&str, &str); 3] = [
    ("openvino", "openvino-sys"),
    ("ort", "ort"),
    ("tract", "tract-core"),
];

/// Checks each combination; in the target folder itself with what linting in the release profile has left
/// there.
pub(super) fn check(folder: Option<&Path>) -> Result<()> {
    for (package, combinations) in PROMISED {
        for features in combinations {
            let context = || format!("{package} with the features '{features}'");
            compiles(package, features, folder).with_context(context)?;
            brings_its_engines(package, features).with_context(context)?;
        }
    }
    println!("every combination that is promised compiles without a warning");
    Ok(())
}

/// Linting has seen each line once, in the default features; here rustc's warnings tell what a combination
/// leaves unused.
fn compiles(package: &str, features: &str, folder: Option<&Path>) -> Result<()> {
    let mut check = cargo();
    check.args(["check", "--release", "--quiet", "-p", package]);
    check.args(["--no-default-features", "--features", features]);
    check.args(["--message-format", "json"]).current_dir(root());
    if let Some(folder) = folder {
        check.env(TARGET, folder);
    }
    let output = check.output().with_context(|| format!("{check:?}"))?;
    let messages = String::from_utf8(output.stdout)?;
    let messages: Vec<String> = messages.lines().filter_map(rendered).collect();
    if !output.status.success() || !messages.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{}{}", messages.concat(), said.trim());
    }
    Ok(())
}

/// A warning or an error as rustc shows it, of a line that cargo prints.
fn rendered(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    line["message"]["rendered"].as_str().map(str::to_owned)
}

fn brings_its_engines(package: &str, features: &str) -> Result<()> {
    let mut tree = cargo();
    tree.args(["tree", "--quiet", "--edges", "normal", "--prefix", "none"]);
    tree.args(["--format", "{p}", "-p", package, "--no-default-features"]);
    tree.args(["--features", features]).current_dir(root());
    let tree = stdout(&mut tree)?;
    for (engine, brought) in ENGINES {
        let named = features.split(',').any(|it| it == engine);
        let prefix = format!("{brought} v");
        let there = tree.lines().any(|line| line.starts_with(&prefix));
        ensure!(named == there, "{brought} is there: {there}");
    }
    Ok(())
}
