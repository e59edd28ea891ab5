//! Every link to a file or to a heading leads somewhere.

use std::fs;

use libtest_mimic::Failed;

use crate::page::Page;

/// Fails with every link of the page that leads nowhere. Addresses of the web are not asked.
pub(crate) fn check(page: &Page) -> Result<(), Failed> {
    let broken: Vec<String> = page
        .prose()
        .flat_map(|(line, text)| targets(text).map(move |it| (line, it)))
        .filter(|(_, target)| !target.contains("://") && !leads_somewhere(page, target))
        .map(|(line, target)| format!("{}:{line}: {target}", page.name))
        .collect();
    match broken.is_empty() {
        true => Ok(()),
        false => Err(format!("links that lead nowhere:\n{}", broken.join("\n")).into()),
    }
}

/// What `[text](target)` and `![text](target)` lead to.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let begins = line.match_indices("](");
    begins.filter_map(|(at, opening)| line[at + opening.len()..].split(')').next())
}

fn leads_somewhere(page: &Page, target: &str) -> bool {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let text = match file {
        "" => page.text.clone(),
        _ => {
            let path = page.folder().join(file);
            if heading.is_empty() {
                return path.exists();
            }
            fs::read_to_string(path).unwrap_or_default()
        }
    };
    let headings = text.lines().filter(|it| it.starts_with('#'));
    headings.map(anchor).any(|it| it == heading)
}

/// How GitHub names a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|it| it.is_alphanumeric() || [' ', '-', '_'].contains(it));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}
