//! README and guide: every link leads somewhere, every page opens with a command, every command runs, every
//! measured number stands in a results file.
//!
//! Blocks of ```` ```console ```` are run from top to bottom in a folder of the page's own, where
//! `nezha-cn-base`, `my-sentiment`, `my-ner`, `my-head`, `my-answers`, `my-choices`, `lines.txt` and `reviews.csv` lie;
//! what a page needs beside them, its comment `<!-- before: … -->` makes. A block that can't be run here is `console not-run`.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

mod commands;
mod engines;
mod fields;
mod links;
mod numbers;
mod opening;
mod page;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use page::Page;

fn main() -> ExitCode {
    let mut trials = vec![
        Trial::test("engines_and_precisions", engines::check),
        Trial::test("engines_of_the_python_package", engines::python_package),
        Trial::test("doctests_run_in_the_repository", repository),
    ];
    for page in Page::all() {
        let name = |what: &str| format!("{what}::{}", page.name);
        let [linked, opened, measured, run] = [(); 4].map(|()| page.clone());
        trials.push(Trial::test(name("links"), move || links::check(&linked)));
        trials.push(Trial::test(name("opening"), move || {
            opening::check(&opened)
        }));
        trials.push(Trial::test(name("numbers"), move || {
            numbers::check(&measured)
        }));
        if !page.blocks().is_empty() {
            trials.push(Trial::test(name("commands"), move || commands::run(&run)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Without it, the examples of the documentation are compiled and not run.
fn repository() -> Result<(), Failed> {
    let found = env::var_os("NEZHA_REPOSITORY").map(PathBuf::from);
    let found = found.and_then(|it| it.canonicalize().ok());
    match found == page::root().canonicalize().ok() {
        true => Ok(()),
        false => Err(format!(".cargo/config.toml sets NEZHA_REPOSITORY to {found:?}").into()),
    }
}
