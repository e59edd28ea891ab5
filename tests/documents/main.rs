//! README and guide: every link leads somewhere, every command runs, every measured number stands in a
//! results file.
//!
//! Blocks of ```` ```console ```` are run from top to bottom in a folder of the page's own, where
//! `nezha-cn-base`, `my-sentiment`, `my-ner`, `my-head`, `lines.txt` and `reviews.csv` lie; what a page needs beside
//! them, its comment `<!-- before: … -->` makes. A block that can't be run here is `console not-run`.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

mod commands;
mod engines;
mod fields;
mod links;
mod numbers;
mod page;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use page::Page;

fn main() -> ExitCode {
    let mut trials = vec![Trial::test("engines_and_precisions", engines::check)];
    for page in Page::all() {
        let name = |what: &str| format!("{what}::{}", page.name);
        let [linked, measured, run] = [(); 3].map(|()| page.clone());
        trials.push(Trial::test(name("links"), move || links::check(&linked)));
        trials.push(Trial::test(name("numbers"), move || {
            numbers::check(&measured)
        }));
        if !page.blocks().is_empty() {
            trials.push(Trial::test(name("commands"), move || commands::run(&run)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
