//! Every command, printing to a reader that is gone and to a disk that is full.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

fn nezha(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nezha"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// How a command ends, and what it says on standard error.
fn ending(mut command: Command) -> (Option<i32>, String) {
    let child = command.spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), errors)
}

/// A pipe that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// A disk that takes nothing.
fn full() -> Stdio {
    File::options()
        .write(true)
        .open("/dev/full")
        .unwrap()
        .into()
}

/// Models of tiny checkpoints, a folder each, made by the command itself.
struct Models(TempDir);

static MODELS: LazyLock<Models> = LazyLock::new(|| {
    let models = Models(TempDir::new().unwrap());
    for (name, checkpoint, more) in [
        ("base", "models/nezha-tiny-zh", &["--head", "base"][..]),
        (
            "masked-lm",
            "models/nezha-tiny-zh",
            &["--head", "masked-lm"],
        ),
        ("sentiment", SENTIMENT, &[]),
        ("ner", "models/nezha-tiny-zh-ner", &[]),
        ("qa", "tests/fixtures/text/question-answering", &[]),
        ("choice", "tests/fixtures/text/multiple-choice", &[]),
        ("next", "models/nezha-tiny-zh", &["--head", "next-sentence"]),
        (
            "decoder",
            "tests/fixtures/decoder-causal/masked-lm",
            &["--head", "masked-lm", "--kv-cache"],
        ),
    ] {
        let target = models.folder(name);
        let mut command = nezha(&[&["export", checkpoint, "-o", &target], more].concat());
        command.stdout(Stdio::null());
        let (code, errors) = ending(command);
        assert_eq!(code, Some(0), "{name}: {errors}");
    }
    std::fs::write(models.0.path().join("in.safetensors"), inputs()).unwrap();
    models
});

const SENTIMENT: &str = "models/nezha-tiny-zh-sentiment";

impl Models {
    fn at(&self, name: &str) -> String {
        let path: PathBuf = self.0.path().join(name);
        path.to_str().unwrap().to_owned()
    }

    fn folder(&self, name: &str) -> String {
        self.at(name)
    }

    fn model(&self, name: &str) -> String {
        self.at(&format!("{name}/model.onnx"))
    }
}

/// Three token ids in a safetensors file.
fn inputs() -> Vec<u8> {
    let ids: Vec<u8> = [2_i64, 5, 3]
        .iter()
        .flat_map(|it| it.to_le_bytes())
        .collect();
    let header = r#"{"input_ids":{"dtype":"I64","shape":[1,3],"data_offsets":[0,24]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(ids);
    file
}

/// Every command that prints, as text and as JSON where it has both; none needs ONNX Runtime.
/// `target` is a folder to write to.
fn commands(target: &Path) -> Vec<Vec<String>> {
    let models = &*MODELS;
    let own = |name: &str| target.join(name).to_str().unwrap().to_owned();
    let tract = ["--engine", "tract"];
    let shape = ["--batch", "1", "--sequence", "4"];
    let mut commands: Vec<Vec<String>> = Vec::new();
    let mut add = |arguments: &[&str]| {
        commands.push(arguments.iter().map(|it| (*it).to_owned()).collect());
    };
    for asked in ["--help", "--version", "help"] {
        add(&[asked]);
    }
    add(&["export", "--help"]);
    let export = ["export", SENTIMENT, "-o"];
    add(&[&export[..], &[&own("exported")]].concat());
    let agreement = ["--dtype", "int8", "--agreement", "--engines", "tract"];
    add(&[&export[..], &[&own("int8")], &agreement].concat());
    let verified = ["--verify", "--engines", "tract"];
    add(&[&export[..], &[&own("verified")], &verified].concat());
    let sentiment = models.model("sentiment");
    let verify = ["verify", &sentiment, SENTIMENT, "--engines", "tract"];
    let profile = ["profile", &sentiment, "--runs", "1"];
    let doctor = ["doctor", "--ort-library", "/nowhere"];
    let inspect = ["inspect", &sentiment];
    let decoder = models.folder("decoder");
    let generate = [
        "generate",
        &decoder,
        "--ids",
        "2,5",
        "--max-new-tokens",
        "2",
    ];
    let folder = |name| models.folder(name);
    let [masked, base, next] = ["masked-lm", "base", "next"].map(folder);
    let [ner, qa, choice, reviews] = ["ner", "qa", "choice", "sentiment"].map(folder);
    let text = "很好";
    for json in [&[][..], &["--json"]] {
        add(&[&verify[..], json].concat());
        add(&[&profile[..], &shape, &tract, json].concat());
        add(&[&doctor[..], json].concat());
        add(&[&inspect[..], json].concat());
        add(&["inspect", SENTIMENT]
            .iter()
            .chain(json)
            .copied()
            .collect::<Vec<_>>());
        add(&[&generate[..], &tract, json].concat());
        for task in [
            &["fill-mask", &masked, "这家[MASK]店"][..],
            &["text-classification", &reviews, text],
            &["token-classification", &ner, text],
            &["question-answering", &qa, "谁", text],
            &["multiple-choice", &choice, "谁", text, text],
            &["next-sentence", &next, text, text],
            &["feature-extraction", &base, text],
        ] {
            add(&[task, &tract, json].concat());
        }
    }
    add(&["inspect", &sentiment, "--listing"]);
    let [inputs, outputs] = [models.at("in.safetensors"), own("out.safetensors")];
    let run = [
        "run",
        &sentiment,
        "--inputs",
        &inputs,
        "--outputs",
        &outputs,
    ];
    add(&[&run[..], &tract].concat());
    let bench = [
        "bench",
        &sentiment,
        "--engines",
        "tract",
        "--runs",
        "1",
        "--rounds",
        "1",
    ];
    let saved = own("bench.json");
    add(&[&bench[..], &shape, &["--json", &saved]].concat());
    add(&[&bench[..], &shape, &["--json", "-"]].concat());
    add(&["bench", "compare", &saved, &saved, "--fail-above", "1.5"]);
    add(&[&["demo"][..], &tract].concat());
    commands
}

fn ask(command: &[String], stdout: Stdio) -> (Option<i32>, String) {
    let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    let mut command = nezha(&arguments);
    command.stdout(stdout);
    ending(command)
}

#[test]
fn a_reader_that_is_gone_changes_nothing_but_the_text() {
    let target = TempDir::new().unwrap();
    for command in commands(target.path()) {
        let (code, errors) = ask(&command, closed());
        let said = format!("{command:?}: {errors}");
        assert_eq!(code, Some(0), "{said}");
        assert!(!errors.contains("panicked"), "{said}");
        assert!(!errors.contains("error:"), "{said}");
    }
}

#[test]
fn a_full_disk_behind_standard_output_is_an_error() {
    let target = TempDir::new().unwrap();
    for command in commands(target.path()) {
        let (code, errors) = ask(&command, full());
        let said = format!("{command:?}: {errors}");
        assert_eq!(code, Some(1), "{said}");
        let expected = "error: standard output can't be written: No space left on device";
        assert_eq!(errors.matches(expected).count(), 1, "{said}");
    }
}

#[test]
fn work_that_fails_fails_without_a_reader_too() {
    let model = MODELS.model("sentiment");
    let verify = ["verify", &model, "models/nezha-tiny-zh"];
    let folder = MODELS.folder("masked-lm");
    let no_gap = [
        "fill-mask",
        &folder,
        "没有空白",
        "--engine",
        "tract",
        "--json",
    ];
    for arguments in [&verify[..], &no_gap] {
        let mut command = nezha(arguments);
        command.stdout(closed());
        let (code, errors) = ending(command);
        assert_eq!(code, Some(1), "{arguments:?}: {errors}");
        assert!(!errors.contains("panicked"), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_stream_of_texts_stops_where_nobody_reads_the_answers() {
    let mut command = nezha(&["text-classification", &MODELS.folder("sentiment")]);
    command
        .args(["--json", "--engine", "tract"])
        .stdin(Stdio::piped())
        .stdout(closed());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut written = 0;
    // It never ends: only a command that stops reading closes the pipe.
    while input.write_all("很好\n".as_bytes()).is_ok() {
        written += 1;
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "after {written} lines: {errors}");
}

#[test]
fn standard_error_that_nobody_reads_is_no_reason_to_panic() {
    for arguments in [
        &["doctor"][..],
        &["inspect", "no/such/file"],
        &["no-such-command"],
    ] {
        let mut command = nezha(arguments);
        command.stdout(closed()).stderr(closed());
        let code = command.status().unwrap().code();
        let expected = if arguments == ["doctor"] {
            0..=0
        } else {
            1..=2
        };
        assert!(
            code.is_some_and(|it| expected.contains(&it)),
            "{arguments:?}: {code:?}"
        );
    }
}

#[test]
fn help_says_what_the_exit_codes_are() {
    let output = nezha(&["help"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for expected in [
        "Exit codes: 0 done, 1 the work failed, 2 bad usage",
        "head -1",
    ] {
        assert!(text.contains(expected), "no '{expected}' in\n{text}");
    }
}
