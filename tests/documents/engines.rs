//! README's table of engines and precisions is what the tests ask, and the Python package asks for engines
//! that are accepted.

use std::fs;

use libtest_mimic::Failed;
use nezha_onnx::Precision;
use nezha_runtime::{openvino_library, ort_library};
use testkit::engines::ENGINES;

use crate::page::root;

/// Fails unless README has the table that follows from the engines' rows.
pub(crate) fn check() -> Result<(), Failed> {
    let readme = fs::read_to_string(root().join("README.md"))?;
    let table = table();
    match readme.contains(&table) {
        true => Ok(()),
        false => Err(format!("README lacks this table:\n\n{table}").into()),
    }
}

/// Fails unless the Python package depends on the oldest versions of the engines that are accepted.
pub(crate) fn python_package() -> Result<(), Failed> {
    let project = fs::read_to_string(root().join("python/pyproject.toml"))?;
    let (year, release) = openvino_library::OLDEST_VERSION;
    let minor = ort_library::OLDEST_MINOR_VERSION;
    for expected in [
        format!("\"openvino>={year}.{release};"),
        format!("\"onnxruntime>=1.{minor};"),
    ] {
        if !project.contains(&expected) {
            return Err(format!("python/pyproject.toml lacks {expected}").into());
        }
    }
    Ok(())
}

fn table() -> String {
    let precisions = Precision::ALL.map(Precision::name);
    let mut lines = vec![
        format!(
            "| engine | {} | tolerance in fp32 |",
            precisions.join(" | ")
        ),
        format!("|---|{}---|", "---|".repeat(precisions.len())),
    ];
    for engine in ENGINES {
        let cell = |name| match engine.refusal(name) {
            Some(_) => "–",
            None => "✓",
        };
        lines.push(format!(
            "| `{}` | {} | {:e} |",
            engine.name(),
            precisions.map(cell).join(" | "),
            engine.tolerance()
        ));
    }
    lines.join("\n")
}
