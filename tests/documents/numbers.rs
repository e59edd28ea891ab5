//! Every measured number stands in a results file: a table under `<!-- rows of FILE -->` row by row, and in
//! text whatever has a unit of time, of memory or of an error.

use std::fs;
use std::sync::LazyLock;

use libtest_mimic::Failed;

use crate::page::{Page, root};

/// What all results files say.
static RESULTS: LazyLock<String> = LazyLock::new(|| {
    let files = fs::read_dir(root().join("benches/results")).unwrap();
    let paths = files.map(|it| it.unwrap().path());
    paths
        .filter(|it| it.extension().is_some_and(|it| it == "md"))
        .map(|it| fs::read_to_string(it).unwrap())
        .collect()
});

/// Units of what is measured. A limit or a setting is code: `64 MiB`.
const UNITS: [&str; 7] = ["ms", "s", "kB", "MB", "GB", "MiB", "%"];

/// Fails with every row and number of the page that no results file has.
pub(crate) fn check(page: &Page) -> Result<(), Failed> {
    let mut wrong = Vec::new();
    // The file whose rows follow, and how many of the table's lines have been seen.
    let mut quoted: Option<(String, usize)> = None;
    for (line, text) in page.prose() {
        if let Some(file) = text.strip_prefix("<!-- rows of ") {
            let file = root().join(file.strip_suffix(" -->").unwrap());
            let found = fs::read_to_string(&file);
            quoted = Some((
                found.map_err(|error| format!("{}: {error}", file.display()))?,
                0,
            ));
            continue;
        }
        let at = format!("{}:{line}", page.name);
        match &mut quoted {
            Some((results, rows)) if text.starts_with('|') => {
                *rows += 1;
                // The first two lines are the head.
                if *rows > 2 && !results.lines().any(|it| it == text) {
                    wrong.push(format!("{at}: no such row in the results: {text}"));
                }
            }
            _ => {
                quoted = None;
                let missing = measured(text).filter(|it| !RESULTS.contains(it.as_str()));
                wrong.extend(missing.map(|it| format!("{at}: '{it}' is in no results file")));
            }
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n").into()),
    }
}

/// The numbers with a unit in a line, code left out.
fn measured(line: &str) -> impl Iterator<Item = String> {
    let text: String = line.split('`').step_by(2).collect::<Vec<_>>().join("` `");
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |it: &str| it.trim_start_matches(['(', '*', '|']).to_owned();
    let unit = |it: &str| {
        it.trim_end_matches([')', ',', '.', ';', ':', '*', '|'])
            .to_owned()
    };
    let found: Vec<String> = words
        .windows(2)
        .map(|pair| (number(pair[0]), unit(pair[1])))
        .filter(|(number, _)| number.starts_with(|it: char| it.is_ascii_digit()))
        .filter(|(number, _)| number.ends_with(|it: char| it.is_ascii_digit()))
        .filter(|(_, unit)| UNITS.contains(&unit.as_str()))
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect();
    found.into_iter()
}
