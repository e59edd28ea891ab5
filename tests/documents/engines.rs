//! README's table of engines and precisions is what the tests ask.

use std::fs;

use libtest_mimic::Failed;
use nezha_onnx::Precision;
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
