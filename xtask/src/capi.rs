//! The C interface: its header is what the code has, and a C program runs against it.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::{Finish, cargo, nezha, target};

/// A checkpoint, the head that it is exported with, and the file that it is packed to.
const MODELS: [(&str, &str, &str); 4] = [
    (
        "models/nezha-tiny-zh-sentiment",
        "sequence-classification",
        "classify",
    ),
    ("models/nezha-tiny-zh-ner", "token-classification", "tokens"),
    (
        "tests/fixtures/text/question-answering",
        "question-answering",
        "answer",
    ),
    ("models/nezha-tiny-zh", "base", "embed"),
];

/// Builds the library and the program, and runs it.
pub(crate) fn capi() -> Result<()> {
    let work = Path::new("target/capi");
    let mut header = cargo();
    header.args([
        "run",
        "--quiet",
        "--manifest-path",
        "capi/header/Cargo.toml",
    ]);
    header.args([
        "--target-dir",
        "target/capi/header",
        "--",
        "capi/include/nezha.h",
    ]);
    header.finish()?;
    // All packages, so that nothing is built with other features than the tests have.
    let mut build = cargo();
    build.args(["build", "--release", "--workspace"]).finish()?;
    for (checkpoint, head, name) in MODELS {
        let folder = work.join(name);
        let mut export = nezha();
        export.args(["export", checkpoint, "--head", head, "--force", "-o"]);
        export.arg(&folder).finish()?;
        let mut pack = nezha();
        pack.arg("pack").arg(&folder).args(["--force", "-o"]);
        pack.arg(folder.with_extension("nezha")).finish()?;
    }
    let libraries = target()?.join("release");
    let program = work.join("program");
    let mut gcc = Command::new("gcc");
    gcc.args([
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-g",
    ]);
    gcc.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
    gcc.args([
        "-Icapi/include",
        "capi/tests/embed.c",
        "-lnezha_capi",
        "-lm",
        "-o",
    ]);
    gcc.arg(&program).arg("-L").arg(&libraries).finish()?;
    let mut run = Command::new(crate::root().join(&program));
    run.arg(work).env("LD_LIBRARY_PATH", libraries).finish()
}
