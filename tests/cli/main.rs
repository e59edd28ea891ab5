//! The command line as its users see it: whole outputs and exit codes of commands, in the pages of this
//! folder.
//!
//! A line `$ nezha …` in a block is run, `? N` is its exit code where that is not 0, and what follows is what
//! it prints. `cargo xtask bless` writes the pages anew after a wanted change: read the difference.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use snapbox::{Assert, Data};

#[test]
fn commands_print_what_their_pages_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let files = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path());
    let mut pages: Vec<PathBuf> = files
        .filter(|it| it.extension().is_some_and(|it| it == "md"))
        .collect();
    pages.sort();
    assert!(!pages.is_empty(), "no page in {}", folder.display());
    let assert = Assert::new().action_env("SNAPSHOTS").normalize_paths(false);
    for page in pages {
        let printed = played(&fs::read_to_string(&page).unwrap());
        assert.eq(printed, Data::read_from(&page, None).raw());
    }
}

/// The page with what its commands print now.
fn played(page: &str) -> String {
    let mut lines = page.lines().peekable();
    let mut played = String::new();
    while let Some(line) = lines.next() {
        played.push_str(line);
        played.push('\n');
        let Some(command) = line.strip_prefix("$ nezha") else {
            continue;
        };
        while lines
            .next_if(|it| !it.starts_with("$ ") && !it.starts_with("```"))
            .is_some()
        {}
        played.push_str(&output(command));
        if lines.peek().is_some_and(|it| it.starts_with("$ ")) {
            played.push('\n');
        }
    }
    played
}

/// The exit code where it is not 0, and what a command prints.
fn output(arguments: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_nezha"))
        .args(arguments.split_whitespace())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let code = match output.status.code() {
        Some(0) => String::new(),
        Some(code) => format!("? {code}\n"),
        None => format!("? {}\n", output.status),
    };
    let [printed, errors] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    let text = format!("{printed}{errors}");
    match text.trim_end() {
        "" => code,
        text => format!("{code}{text}\n"),
    }
}
