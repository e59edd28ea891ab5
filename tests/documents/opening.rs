//! README is short, and each page of the guide opens with the command that does what it is about.

use libtest_mimic::Failed;

use crate::page::Page;

/// Lines of README at most.
const LONGEST: usize = 150;
/// Pages that list other pages or results.
const LISTS: [&str; 2] = ["docs/guide/README.md", "docs/guide/results.md"];

/// Fails if README is too long, or if the first thing under the title of a page of the guide is no block of code.
pub(crate) fn check(page: &Page) -> Result<(), Failed> {
    let lines = page.text.lines().count();
    if page.name == "README.md" && lines > LONGEST {
        return Err(format!("README has {lines} lines, expected {LONGEST} at most").into());
    }
    let is_guide = page.name.starts_with("docs/guide/") && !LISTS.contains(&page.name.as_str());
    let mut under_title = page.text.lines().skip(1);
    let first = under_title.find(|it| !it.is_empty() && !it.starts_with("<!--"));
    match first {
        Some(line) if is_guide && !line.starts_with("```") => {
            Err(format!("{} opens with '{line}', expected a command", page.name).into())
        }
        _ => Ok(()),
    }
}
