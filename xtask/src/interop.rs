//! Every head in other people's stacks, each installed as pinned.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{Finish, nezha, subfolders};

/// The checkpoints that transformers.js answers for, in folders named by their heads.
const TRANSFORMERS_JS: [(&str, &str); 4] = [
    ("base", "tests/fixtures/reach-4/base"),
    ("masked-lm", "models/nezha-tiny-zh"),
    ("sequence-classification", "models/nezha-tiny-zh-sentiment"),
    ("token-classification", "models/nezha-tiny-zh-ner"),
];

/// The heads that Optimum has no class for.
const NOT_OPTIMUM: [&str; 2] = ["next-sentence", "pretraining"];

/// Exports what the stacks load, and has each of them load it.
pub(crate) fn interop(only: Option<String>, python: &Path) -> Result<()> {
    let (fixtures, work) = (Path::new("tests/fixtures/reach-4"), "target/interop");
    let [
        artifacts,
        burn,
        tools,
        fixed,
        triton,
        optimum,
        transformers_js,
        service,
    ] = [
        "artifacts",
        "burn",
        "tools",
        "static",
        "triton",
        "optimum",
        "transformersjs",
        "service",
    ]
    .map(|it| Path::new(work).join(it));
    let export = |checkpoint: &Path, head: &OsStr, target: &Path, options: &[&str]| {
        let mut export = nezha();
        export.arg("export").arg(checkpoint).arg("--head").arg(head);
        export.arg("-o").arg(target).arg("--force");
        export.args(options).finish()
    };
    let outputs = ["--outputs", "hidden-states,attentions"];
    let served = ["--layout", "triton", "--instances", "2", "--tensorrt"];
    for checkpoint in subfolders(fixtures)? {
        let head = checkpoint.file_name().context("a folder without name")?;
        export(&checkpoint, head, &artifacts.join(head), &outputs)?;
        // Its code moves the base model's last hidden state twice, where it is an output twice.
        export(
            &checkpoint,
            head,
            &burn.join(head),
            &["--outputs", "attentions"],
        )?;
        export(&checkpoint, head, &tools.join(head), &[])?;
        let names = match head.to_str() {
            Some("base" | "pretraining" | "question-answering") => "input_ids=ids",
            _ => "input_ids=ids,logits=scores",
        };
        let as_a_service = ["--rename", names, "--input-dtype", "int32"];
        let alone = ["--mask", "from-padding", "--no-token-types"];
        let options = [&as_a_service[..], &alone].concat();
        export(&checkpoint, head, &service.join(head), &options)?;
        // The shape of the padded question.
        let shape = match head.to_str() {
            Some("multiple-choice") => "batch=2,choices=3,sequence=5",
            _ => "batch=3,sequence=9",
        };
        export(&checkpoint, head, &fixed.join(head), &["--static", shape])?;
        let options = [&served[..], &outputs].concat();
        export(&checkpoint, head, &triton, &options)?;
        if !NOT_OPTIMUM.iter().any(|it| head == *it) {
            let options = ["--layout", "optimum"];
            export(&checkpoint, head, &optimum.join(head), &options)?;
        }
    }
    for (head, checkpoint) in TRANSFORMERS_JS {
        let options = ["--layout", "transformersjs"];
        let target = transformers_js.join(head);
        export(Path::new(checkpoint), head.as_ref(), &target, &options)?;
    }
    let mut stacks = Command::new(python);
    stacks.args(["-B", "tests/interop/interop.py"]);
    stacks.args([&artifacts, fixtures]).args(["--work", work]);
    if let Some(only) = only {
        stacks.arg("--only").arg(only);
    }
    stacks.finish()
}
