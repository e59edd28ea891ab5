//! Every combination of features that is promised: it compiles without a warning, and brings no engine that it
//! doesn't name.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::listed;
use crate::output::{stdout, without_warnings};
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

/// Checks each combination. In a folder of its own the crates of others have what the combination itself asks of
/// them, and are checked again for each; in the target folder they have what the workspace asks of them, as linting
/// in the release profile has left them there.
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
    check.args(["check", "--release", "-p", package]);
    check.arg("--no-default-features");
    for feature in listed(features) {
        check.arg("--features").arg(format!("{package}/{feature}"));
    }
    match folder {
        Some(folder) => check.env(TARGET, folder),
        None => check.args(["-p", "third-party"]),
    };
    without_warnings(&mut check)
}

fn brings_its_engines(package: &str, features: &str) -> Result<()> {
    let mut tree = cargo();
    tree.args(["tree", "--quiet", "--edges", "normal", "--prefix", "none"]);
    tree.args(["--format", "{p}", "-p", package, "--no-default-features"]);
    tree.args(["--features", features]).current_dir(root());
    let tree = stdout(&mut tree)?;
    for (engine, brought) in ENGINES {
        let named = listed(features).any(|it| it == engine);
        let prefix = format!("{brought} v");
        let there = tree.lines().any(|line| line.starts_with(&prefix));
        ensure!(named == there, "{brought} is there: {there}");
    }
    Ok(())
}
