//! Every program of `examples/` does what its first lines say, with the bundled checkpoints.
//!
//! Cargo builds the programs together with all tests, and not with this file alone: then
//! `cargo build --release --workspace --examples` comes before it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use testkit::command::{stdout, succeeded};
use testkit::{nezha, repository};

const TEXTS: &str =
    "房间很干净，服务热情。\n屏幕有坏点，客服不理人，后悔买了。\n总理会见了日本首相。\n";

/// The program of an example, which runs where the checkpoints are.
fn example(name: &str) -> Command {
    let tests = env::current_exe().unwrap();
    let folder = tests.ancestors().nth(2).unwrap().join("examples");
    let program = folder.join(name).with_extension(env::consts::EXE_EXTENSION);
    assert!(
        program.is_file(),
        "{} is missing: cargo build --release --workspace --examples",
        program.display()
    );
    let mut command = Command::new(program);
    command.current_dir(repository(""));
    command
}

/// Runs an example with something on standard input.
fn run<A: AsRef<OsStr>>(name: &str, arguments: &[A], input: &str) -> Output {
    let mut command = example(name);
    command.args(arguments);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that reads nothing closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    succeeded(child.wait_with_output().unwrap())
}

/// The artifact of a bundled checkpoint.
fn exported(checkpoint: &str, options: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = repository("models").join(checkpoint);
    let mut arguments = vec!["export", text(&checkpoint), "-o", text(folder.path())];
    arguments.extend(options);
    succeeded(nezha!(arguments));
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn every_example_has_its_command_at_its_top_and_its_row_in_the_guide() {
    let guide = fs::read_to_string(repository("docs/guide/from-rust.md")).unwrap();
    let entries = fs::read_dir(repository("examples")).unwrap();
    let paths: Vec<PathBuf> = entries.map(|it| it.unwrap().path()).collect();
    let mut seen = 0;
    for path in paths
        .iter()
        .filter(|it| it.extension().is_some_and(|it| it == "rs"))
    {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let source = fs::read_to_string(path).unwrap();
        let command = format!("//! cargo run --release --example {name}");
        assert!(
            source.contains(&command),
            "{name}.rs has no line '{command}'"
        );
        assert!(
            guide.contains(&format!("`examples/{name}.rs`")),
            "{name}.rs is not in the guide"
        );
        seen += 1;
    }
    assert!(seen > 0, "no examples");
}

#[test]
fn quickstart_classifies_a_text() {
    let output = run::<&str>("quickstart", &[], "");
    assert_eq!(stdout(&output), "positive 0.9959\n");
}

#[test]
fn all_heads_share_one_file_of_weights() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["models/nezha-tiny-zh", text(folder.path())];
    let output = run("all_heads", &arguments, "");
    for head in ["base", "pretraining", "masked-lm", "next-sentence"] {
        let file = folder.path().join(head).with_extension("onnx");
        assert!(stdout(&output).contains(text(&file)), "{}", stdout(&output));
        assert!(file.is_file(), "{}", file.display());
    }
    let of_weights = stdout(&output)
        .lines()
        .filter(|it| it.starts_with("weights: "));
    assert_eq!(of_weights.count(), 1, "{}", stdout(&output));
    assert!(
        stdout(&output).contains("question-answering was skipped: "),
        "{}",
        stdout(&output)
    );
}

#[test]
fn semantic_search_finds_the_text_that_is_asked_for_first() {
    let folder = exported("nezha-tiny-zh", &["--head", "base"]);
    let output = run(
        "semantic_search",
        &[text(folder.path()), "房间很整洁，服务很好。"],
        TEXTS,
    );
    let lines: Vec<&str> = stdout(&output).lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].ends_with("房间很干净，服务热情。"), "{lines:?}");
}

#[test]
fn entities_are_answered_line_by_line() {
    let folder = exported("nezha-tiny-zh-ner", &[]);
    let output = run(
        "entities",
        &[folder.path()],
        "国务院总理李鹏\n很好\n日本首相桥本龙太郎\n",
    );
    let lines: Vec<Value> = stdout(&output)
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let found = |line: &Value| -> Vec<String> {
        let entities = line.as_array().unwrap().iter();
        entities
            .map(|it| {
                format!(
                    "{} {}",
                    it["text"].as_str().unwrap(),
                    it["label"].as_str().unwrap()
                )
            })
            .collect()
    };
    assert_eq!(found(&lines[0]), ["国务院 ORG", "李鹏 PER"]);
    assert_eq!(found(&lines[1]), [""; 0]);
    assert_eq!(found(&lines[2]), ["日本 LOC", "桥本龙太郎 PER"]);
}

#[test]
fn generate_continues_each_text_in_two_ways() {
    let folder = exported(
        "nezha-tiny-zh",
        &["--head", "masked-lm", "--kv-cache", "--decoder"],
    );
    let output = run("generate", &[text(folder.path()), "今天天气", "房间很"], "");
    let lines: Vec<&str> = stdout(&output).lines().collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    for (line, prompt) in lines
        .iter()
        .zip(["今天天气", "房间很", "今天天气", "房间很"])
    {
        assert!(line.starts_with(&format!("{prompt} → ")), "{lines:?}");
        assert!(
            line.ends_with("(length)") || line.ends_with("(eos)"),
            "{lines:?}"
        );
    }
}

#[test]
fn an_engine_of_ones_own_remembers_what_it_answered() {
    let folder = exported("nezha-tiny-zh-sentiment", &[]);
    let output = run("own_engine", &[folder.path().join("model.onnx")], "");
    let lines: Vec<&str> = stdout(&output).lines().collect();
    assert!(lines[0].ends_with(", remembering"), "{lines:?}");
    assert!(lines[1].starts_with("run 1: 1 outputs in "), "{lines:?}");
    assert!(lines[2].starts_with("run 2: 1 outputs in "), "{lines:?}");
}

#[test]
fn a_head_of_ones_own_is_verified_and_asked() {
    let output = run::<&str>("own_head", &[], "");
    let lines: Vec<&str> = stdout(&output).lines().collect();
    assert_eq!(lines[0], "without-pooler: verified is true");
    assert!(
        lines[1].ends_with("房间很干净，服务热情，下次还会住。"),
        "{lines:?}"
    );
    assert!(lines[2].ends_with("客服不理人，后悔买了。"), "{lines:?}");
}

#[test]
fn embed_writes_a_vector_for_each_text_in_order() {
    let folder = exported("nezha-tiny-zh", &["--head", "base"]);
    let output = run("embed", &[folder.path()], TEXTS);
    let vectors: Vec<Vec<f32>> = stdout(&output)
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        assert_eq!(vector.len(), 128);
        let length: f32 = vector.iter().map(|it| it * it).sum();
        assert!((length - 1.0).abs() < 1e-4, "length {length}");
    }
}

#[test]
fn classify_answers_every_client() {
    let folder = exported("nezha-tiny-zh-sentiment", &[]);
    let output = run("classify", &[folder.path()], "");
    for client in 0..3 {
        let client = format!("client {client}: ");
        let answers = stdout(&output).lines().filter(|it| it.starts_with(&client));
        assert_eq!(answers.count(), 2, "{}", stdout(&output));
    }
}

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn web_service_answers_requests_until_it_is_stopped() {
    let folder = exported("nezha-tiny-zh-sentiment", &[]);
    let mut command = example("web_service");
    command.args([text(folder.path()), "127.0.0.1:0"]);
    let mut service = Ended(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    let out = service.0.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("http://").expect("its address");
    let post = |body: &[u8]| {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
        let status = head.split(' ').nth(1).unwrap().to_owned();
        (status, body.to_owned())
    };
    for (review, label) in [
        ("房间很干净，服务热情。", "positive"),
        ("客服不理人，后悔买了。", "negative"),
    ] {
        let (status, body) = post(review.as_bytes());
        assert_eq!(status, "200", "{body}");
        let labels: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(labels[0]["label"], label, "{review}: {body}");
    }
    assert_eq!(post(b"\xff").0, "400");
    assert!(service.0.try_wait().unwrap().is_none(), "it still serves");
}

#[cfg(unix)]
#[test]
fn verification_in_ci_passes_a_sound_artifact_and_fails_without_the_engine() {
    let program = Path::new(env!("CARGO_BIN_EXE_nezha"));
    let path = env::join_paths(
        [program.parent().unwrap().to_owned()]
            .into_iter()
            .chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())),
    );
    let path = path.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let verify = |engine: &str| {
        Command::new(repository("examples/verify_in_ci.sh"))
            .args([
                "models/nezha-tiny-zh-sentiment",
                text(folder.path()),
                engine,
            ])
            .current_dir(repository(""))
            .env("PATH", &path)
            .output()
            .unwrap()
    };
    succeeded(verify("tract"));
    assert!(folder.path().join("verification.json").is_file());
    assert_ne!(verify("ort:xnnpack").status.code(), Some(0));
}
