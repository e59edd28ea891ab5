//! What other commands say.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::root;

/// A command as it is typed.
pub(crate) fn typed(command: &Command) -> String {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    let words: Vec<_> = words.map(|it| it.to_string_lossy()).collect();
    words.join(" ")
}

/// What a command writes to standard output; its errors become ours.
pub(crate) fn stdout(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| typed(command))?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => bail!("{}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}

/// Runs a `cargo check` in the repository's root; rustc's warnings and errors become ours.
pub(crate) fn without_warnings(check: &mut Command) -> Result<()> {
    check.args(["--quiet", "--message-format", "json"]);
    let output = check.current_dir(root()).output();
    let output = output.with_context(|| typed(check))?;
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
