//! The commands of `docs/guide/services.md`, run as they stand there.
#![cfg(unix)]

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use testkit::command::{stdout, succeeded};
use testkit::repository;

/// The commands of the page, in order.
fn commands() -> Vec<String> {
    let page = fs::read_to_string(repository("docs/guide/services.md")).unwrap();
    let commands = page.lines().filter_map(|line| line.strip_prefix("$ "));
    commands.map(str::to_owned).collect()
}

#[test]
fn every_command_of_the_page_does_what_it_says() {
    let commands = commands();
    assert!(commands.len() > 10, "{commands:?}");
    let folder = TempDir::new().unwrap();
    symlink(repository("models"), folder.path().join("models")).unwrap();
    let binaries = Path::new(env!("CARGO_BIN_EXE_nezha")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), env::var("PATH").unwrap());
    let run = |command: &String| {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(folder.path());
        let output = succeeded(shell.env("PATH", &path).output().unwrap());
        (command.clone(), stdout(&output).to_owned())
    };
    let printed: Vec<(String, String)> = commands.iter().map(run).collect();
    let of = |part: &str| {
        let found = printed.iter().find(|(command, _)| command.contains(part));
        &found
            .unwrap_or_else(|| panic!("no command with {part:?}"))
            .1
    };
    assert!(of("inspect service").contains("ids: int32[batch_size, sequence_length]"));
    assert!(of("text-classification service").contains("positive"));
    let characters = of("--split characters");
    assert!(characters.contains("B-PER"), "{characters}");
    assert!(characters.contains("none"), "{characters}");
    assert!(of("echo").contains("null"), "{}", of("echo"));
}
