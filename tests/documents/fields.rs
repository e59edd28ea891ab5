//! The tables of the JSON reference have the fields that the commands write.
//!
//! `<!-- fields of FILE -->` stands above a table. Its first column has paths in code spans: `a[].b` is the
//! field `b` of each element of `a`; a later span that begins with `.` or `[]` goes behind the row's first.
//!
//! Written by hand, and not made from the types by a crate such as schemars: a schema says what a type could
//! hold, this test what a command wrote, in both directions. What a row says of a field is for people, and the
//! envelopes of the task commands have no type.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::page::Page;

/// Compares each table of the page with the file in `folder` that the page's commands wrote.
pub(crate) fn check(page: &Page, folder: &Path) -> Result<(), String> {
    let mut wrong = Vec::new();
    let mut lines = page.prose().map(|(_, line)| line);
    while let Some(line) = lines.next() {
        let Some(file) = line.strip_prefix("<!-- fields of ") else {
            continue;
        };
        let file = file.strip_suffix(" -->").unwrap();
        let text = fs::read_to_string(folder.join(file)).map_err(|it| format!("{file}: {it}"))?;
        let value: Value = serde_json::from_str(&text).map_err(|it| format!("{file}: {it}"))?;
        let rows = lines.by_ref().take_while(|it| it.starts_with('|')).skip(2);
        let documented: BTreeSet<String> = rows.flat_map(paths_of_row).collect();
        let written = paths(&value);
        wrong.extend(unknown(&written, &documented).map(|it| format!("{file}: no row for '{it}'")));
        wrong.extend(
            missing(&documented, &written).map(|it| format!("{file}: '{it}' isn't written")),
        );
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n")),
    }
}

fn paths_of_row(row: &str) -> Vec<String> {
    let cell = row.split('|').nth(1).unwrap_or_default();
    let spans: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
    let first = spans.first().copied().unwrap_or_default();
    let whole = |(at, span): (usize, &&str)| match at > 0 && span.starts_with(['.', '[']) {
        true => format!("{first}{span}"),
        false => (*span).to_owned(),
    };
    spans.iter().enumerate().map(whole).collect()
}

/// All fields of a value by their paths.
fn paths(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(value, "", &mut found);
    found
}

fn collect(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = match path {
                    "" => name.clone(),
                    _ => format!("{path}.{name}"),
                };
                collect(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                collect(element, &format!("{path}[]"), found);
            }
        }
        _ => {}
    }
}

/// What lies below a path.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|it| it.starts_with(['.', '[']))
}

/// Fields without a row. A row without rows below it is for everything below.
fn unknown<'a>(
    written: &'a BTreeSet<String>,
    documented: &'a BTreeSet<String>,
) -> impl Iterator<Item = &'a String> {
    let covers = |row: &String, path: &str| {
        is_below(path, row) && !documented.iter().any(|it| is_below(it, row))
    };
    written.iter().filter(move |path| {
        !documented.contains(*path) && !documented.iter().any(|row| covers(row, path))
    })
}

/// Rows without a field, but for those below a null and in lists that are empty here.
fn missing<'a>(
    documented: &'a BTreeSet<String>,
    written: &'a BTreeSet<String>,
) -> impl Iterator<Item = &'a String> {
    documented.iter().filter(move |path| {
        let has_children = |above: &str| written.iter().any(|it| is_below(it, above));
        let above = written.iter().filter(|it| is_below(path, it));
        !written.contains(*path) && above.clone().all(|it| has_children(it))
    })
}
