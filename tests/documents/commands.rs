//! Every command of a page, run.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use libtest_mimic::Failed;
use tempfile::TempDir;

use crate::fields;
use crate::page::{Page, root};

/// What the pages call the bundled checkpoints, one with a head of its own and small ones of other tasks.
const CHECKPOINTS: [(&str, &str); 6] = [
    ("nezha-cn-base", "models/nezha-tiny-zh"),
    ("my-sentiment", "models/nezha-tiny-zh-sentiment"),
    ("my-ner", "models/nezha-tiny-zh-ner"),
    ("my-head", "tests/fixtures/own-heads/mean-and-pooler"),
    ("my-answers", "tests/fixtures/text/question-answering"),
    ("my-choices", "tests/fixtures/text/multiple-choice"),
];

/// Texts for the examples.
const LINES: &str = "房间很干净，服务热情，下次还会住。\n屏幕有坏点，客服不理人，后悔买了。\n物流很快，包装完好。\n";

/// Nobody reads what the commands measure: they take the least time that they can.
const IN_A_HURRY: &str = r#"
nezha() {
    case "$1 $2" in
        "bench compare") ;;
        tune* | bench*) set -- "$@" --seconds 0.1 ;;
    esac
    command nezha "$@"
}"#;

/// Runs the commands from top to bottom; fails with the first whose exit code is not 0, or with the fields
/// of what they wrote that the page has wrong.
pub(crate) fn run(page: &Page) -> Result<(), Failed> {
    let folder = sandbox()?;
    for command in page.before() {
        shell(folder.path(), command).map_err(|error| format!("before: {command}\n{error}"))?;
    }
    for command in page.blocks() {
        shell(folder.path(), &command.text).map_err(|error| {
            format!("{}:{}: {}\n{error}", page.name, command.line, command.text)
        })?;
    }
    Ok(fields::check(page, folder.path())?)
}

fn sandbox() -> Result<TempDir, Failed> {
    let folder = tempfile::tempdir()?;
    for (name, checkpoint) in CHECKPOINTS {
        symlink(root().join(checkpoint), folder.path().join(name))?;
    }
    fs::write(folder.path().join("lines.txt"), LINES)?;
    let rows = LINES.lines().enumerate();
    let rows: String = rows.map(|(id, text)| format!("{id},{text}\n")).collect();
    fs::write(
        folder.path().join("reviews.csv"),
        format!("id,text\n{rows}"),
    )?;
    Ok(folder)
}

fn shell(folder: &Path, command: &str) -> Result<(), String> {
    let nezha = Path::new(env!("CARGO_BIN_EXE_nezha"));
    let mut path = nezha.parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(env::var_os("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-e", "-c", &format!("{IN_A_HURRY}\n{command}")])
        .env("PATH", path)
        .stdin(Stdio::null())
        .current_dir(folder)
        .output()
        .map_err(|error| format!("sh: {error}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{}\n{errors}", output.status)),
    }
}
