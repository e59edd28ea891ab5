//! Every combination of features that is promised, checked, and what each feature costs.

mod cost;
pub(crate) mod times;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::{Finish, TARGET, cargo, root};

/// Where it is all built: the features of others would have everything in `target` built anew.
const FOLDER: &str = "target/features";

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
            "decoder,ort",
            "decoder,pipelines",
            "openvino,pipelines",
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

/// Checks each combination without warnings, and prints what each feature costs.
pub(crate) fn features(only_check: bool) -> Result<()> {
    if only_check {
        return check(None);
    }
    let folder = root().canonicalize()?.join(FOLDER);
    check(Some(&folder))?;
    emptied(&folder)?;
    cost::table(&folder)?;
    emptied(&folder)
}

/// Checks each combination; in the target folder itself with what linting in the release profile has left
/// there.
fn check(folder: Option<&Path>) -> Result<()> {
    for (package, combinations) in PROMISED {
        for features in combinations {
            let mut check = cargo();
            check.args(["clippy", "--release", "--quiet", "-p", package]);
            check.args(["--no-default-features", "--features", features]);
            check.args(["--", "-D", "warnings"]);
            if let Some(folder) = folder {
                check.env(TARGET, folder);
            }
            let context = || format!("{package} with the features '{features}'");
            check.finish().with_context(context)?;
        }
    }
    println!("every combination that is promised compiles without a warning");
    Ok(())
}

/// Removes what was built there: gigabytes.
fn emptied(folder: &Path) -> Result<()> {
    match folder.exists() {
        true => fs::remove_dir_all(folder).with_context(|| folder.display().to_string()),
        false => Ok(()),
    }
}
