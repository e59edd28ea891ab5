//! Every head in other people's stacks, each installed as pinned.

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

/// What a service may want: ids alone, as int32 under another name, and scores.
const AS_A_SERVICE: [&str; 5] = [
    "--input-dtype",
    "int32",
    "--mask",
    "from-padding",
    "--no-token-types",
];

/// Exports what the stacks load, and has each of them load it.
pub(crate) fn interop(only: Option<String>, python: &Path) -> Result<()> {
    let (fixtures, work) = (Path::new("tests/fixtures/reach-4"), "target/interop");
    for checkpoint in subfolders(fixtures)? {
        let head = checkpoint.file_name().context("a folder without name")?;
        let head = head.to_str().context("a folder whose name is no text")?;
        // The shape of the padded question.
        let shape = match head {
            "multiple-choice" => "batch=2,choices=3,sequence=5",
            _ => "batch=3,sequence=9",
        };
        for_the_stacks(&checkpoint, head, Path::new(work), shape, &[])?;
        // That of the question with the defaults.
        let shape = match head {
            "base" => "batch=1,sequence=6",
            "multiple-choice" => "batch=2,choices=3,sequence=6",
            _ => "batch=2,sequence=6",
        };
        let names = match head {
            "base" | "pretraining" | "question-answering" => "input_ids=ids",
            _ => "input_ids=ids,logits=scores",
        };
        let options = [&["--rename", names][..], &AS_A_SERVICE].concat();
        let service = Path::new(work).join("service");
        for_the_stacks(&checkpoint, head, &service, shape, &options)?;
        if !NOT_OPTIMUM.contains(&head) {
            let target = Path::new(work).join("optimum").join(head);
            export(&checkpoint, head, &target, &["--layout", "optimum"])?;
        }
    }
    for (head, checkpoint) in TRANSFORMERS_JS {
        let target = Path::new(work).join("transformersjs").join(head);
        let options = ["--layout", "transformersjs"];
        export(Path::new(checkpoint), head, &target, &options)?;
    }
    let mut stacks = Command::new(python);
    stacks.args(["-B", "tests/interop/interop.py"]);
    stacks.arg(fixtures).args(["--work", work]);
    if let Some(only) = only {
        stacks.arg("--only").arg(only);
    }
    stacks.finish()
}

/// One head with `options`, in the forms that the stacks take it: a folder of `work` for each.
fn for_the_stacks(
    checkpoint: &Path,
    head: &str,
    work: &Path,
    shape: &str,
    options: &[&str],
) -> Result<()> {
    let outputs = ["--outputs", "hidden-states,attentions"];
    let served = ["--layout", "triton", "--instances", "2", "--tensorrt"];
    let served = [&served[..], &outputs].concat();
    let forms: [(&str, &[&str]); 4] = [
        ("artifacts", &outputs),
        // Its code moves the base model's last hidden state twice, where it is an output twice.
        ("burn", &["--outputs", "attentions"]),
        ("tools", &[]),
        ("static", &["--static", shape]),
    ];
    for (folder, form) in forms {
        let target = work.join(folder).join(head);
        export(checkpoint, head, &target, &[form, options].concat())?;
    }
    // A repository of models: the layout names their folders.
    let options = [&served[..], options].concat();
    export(checkpoint, head, &work.join("triton"), &options)
}

fn export(checkpoint: &Path, head: &str, target: &Path, options: &[&str]) -> Result<()> {
    let mut export = nezha();
    export.arg("export").arg(checkpoint).args(["--head", head]);
    export.arg("-o").arg(target).arg("--force");
    export.args(options).finish()
}
