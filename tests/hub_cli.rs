//! Checkpoints by their names on the hub, from the command line, against a hub on loopback.

#[path = "../hub/tests/server/mod.rs"]
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use server::{COMMIT, Fault, MODEL, Server, TOKEN};
use tempfile::TempDir;

const TEXT: &str = "房间很干净，服务热情，下次还会住。";

/// A hub with the bundled classifier of sentiments.
fn server() -> Server {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nezha-tiny-zh-sentiment");
    let names = [
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.txt",
    ];
    let files = names.map(|name| (name, fs::read(folder.join(name)).unwrap()));
    let files = files.iter().map(|(name, bytes)| (*name, bytes.as_slice()));
    Server::start(&files.collect::<Vec<_>>())
}

/// A user's home and working folder.
struct User {
    home: TempDir,
    endpoint: String,
}

impl User {
    fn of(server: &Server) -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            endpoint: server.endpoint(),
        }
    }

    /// Runs `nezha` with more of an environment.
    fn nezha(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nezha"));
        // What the machine's own user has set means nothing here.
        for (name, _) in std::env::vars() {
            let name_in_capitals = name.to_uppercase();
            if name.starts_with("HF_") || name_in_capitals.ends_with("_PROXY") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.home.path())
            .env("HF_HOME", self.home.path().join("hf"))
            .env("HF_ENDPOINT", &self.endpoint)
            .envs(environment.iter().copied())
            .args(arguments)
            .output()
            .unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn succeeded(output: Output) -> Output {
    assert!(output.status.success(), "{}", err(&output));
    output
}

/// Fails with code 1, and says all of it.
#[track_caller]
fn failed(output: &Output, parts: &[&str]) {
    let said = err(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in parts {
        assert!(said.contains(part), "no \"{part}\" in: {said}");
    }
}

#[test]
fn a_model_on_the_hub_is_exported_inspected_and_verified_by_its_name() {
    let server = server();
    let user = User::of(&server);
    server.fail("model.safetensors", &[Fault::BreakAfter(100_000)]);
    let output = succeeded(user.nezha(&[], &["export", MODEL, "-o", "out"]));
    assert!(err(&output).contains("on the hub"), "{}", err(&output));
    let ranges = server.ranges("model.safetensors");
    assert_eq!(ranges, [None, Some("bytes=100000-".to_owned())]);

    let arguments = [
        "text-classification",
        "out",
        TEXT,
        "--json",
        "--engine",
        "tract",
    ];
    let output = succeeded(user.nezha(&[], &arguments));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document[0]["answer"][0]["label"], "positive", "{document}");

    let tag = format!("{MODEL}@v1");
    let output = succeeded(user.nezha(&[], &["inspect", &tag, "--json"]));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let folder = document["folder"].as_str().unwrap();
    assert!(folder.ends_with(COMMIT), "{folder}");

    let offline = [("HF_HUB_OFFLINE", "1")];
    server.forget();
    let arguments = ["verify", "out/model.onnx", MODEL, "--engines", "tract"];
    succeeded(user.nezha(&offline, &arguments));
    assert!(server.state().requests.is_empty(), "asked though offline");
}

#[test]
fn what_the_hub_does_not_give_fails_with_the_way_out_and_writes_nothing() {
    let server = server();
    let user = User::of(&server);
    let export = |environment: &[(&str, &str)], model: &str| {
        user.nezha(environment, &["export", model, "-o", "out"])
    };
    let offline = [("HF_HUB_OFFLINE", "1")];
    failed(&export(&offline, MODEL), &[MODEL, "HF_HUB_OFFLINE is set"]);
    assert!(server.state().requests.is_empty(), "asked though offline");
    failed(&export(&[], "owner/other"), &["no model 'owner/other'"]);
    failed(&export(&[], "owner/nezha@v9"), &["no revision 'v9'"]);
    let nobody = [("HF_ENDPOINT", "http://127.0.0.1:1")];
    failed(
        &export(&nobody, MODEL),
        &["http://127.0.0.1:1 can't be reached"],
    );
    server.fail("model.safetensors", &[Fault::Corrupt]);
    failed(
        &export(&[], MODEL),
        &["'model.safetensors' arrived with the checksum"],
    );
    server.state().gated = true;
    let parts = ["gated", "HF_TOKEN", "hf auth login"];
    failed(
        &user.nezha(&[("HF_HOME", "elsewhere")], &["export", MODEL, "-o", "out"]),
        &parts,
    );
    assert!(!user.path("out").exists());

    succeeded(export(&[("HF_TOKEN", TOKEN)], MODEL));
}

#[test]
fn a_path_that_is_mistyped_is_not_looked_for_on_the_hub() {
    let server = server();
    let user = User::of(&server);
    fs::create_dir(user.path("models")).unwrap();
    for path in [
        "models/mistyped",
        "./owner/nezha",
        "owner/model.safetensors",
        "nezha",
    ] {
        let output = user.nezha(&[], &["export", path, "-o", "out"]);
        failed(&output, &[path, "no such file or folder"]);
    }
    // A folder of that name is the checkpoint, even if it is none.
    fs::create_dir_all(user.path(MODEL)).unwrap();
    failed(
        &user.nezha(&[], &["inspect", MODEL]),
        &["the folder is empty"],
    );
    assert!(server.state().requests.is_empty(), "asked all the same");
}
