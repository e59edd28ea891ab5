//! Answers as a table for people or as one JSON document for programs.

use anyhow::Result;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use serde_json::{Value, json};

use super::input::{Item, list};
use crate::output;

/// Characters of a text that the table shows.
const SHOWN: usize = 60;

/// Takes answers and errors in the inputs' order.
pub(super) struct Output {
    table: Option<Table>,
    answered: usize,
    failed: usize,
}

impl Output {
    /// A JSON document, or a table with these columns after the text.
    pub(super) fn new(json: bool, columns: &[&str]) -> Self {
        let table = (!json).then(|| {
            let mut table = Table::new();
            table
                .load_style(UTF8_FULL_CONDENSED)
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_header(std::iter::once("text").chain(columns.iter().copied()));
            table
        });
        Self {
            table,
            answered: 0,
            failed: 0,
        }
    }

    /// Adds an answer; `truncated` is how many tokens were read where the input has more.
    pub(super) fn answered(
        &mut self,
        item: &Item,
        rows: Vec<Vec<String>>,
        answer: Value,
        truncated: Option<usize>,
    ) -> Result<()> {
        if let Some(length) = truncated {
            output::note(format_args!(
                "{}: longer than {length} tokens, the rest was not read",
                place(item)
            ));
        }
        match &mut self.table {
            Some(table) => {
                let text = item.value.as_ref().map(shown).unwrap_or_default();
                for (number, row) in rows.into_iter().enumerate() {
                    let text = if number == 0 { text.as_str() } else { "" };
                    table.add_row(std::iter::once(text.to_owned()).chain(row));
                }
            }
            None => self.write(item, "answer", answer, truncated.is_some())?,
        }
        self.answered += 1;
        Ok(())
    }

    /// Adds an input that has no answer; it is also named on standard error.
    pub(super) fn failed(&mut self, item: &Item, error: &str) -> Result<()> {
        output::note(format_args!("{}: {error}", place(item)));
        if self.table.is_none() {
            self.write(item, "error", json!(error), false)?;
        }
        self.failed += 1;
        Ok(())
    }

    /// Writes one entry of the JSON document as soon as it is there.
    fn write(&self, item: &Item, key: &str, value: Value, truncated: bool) -> Result<()> {
        let mut entry = serde_json::Map::new();
        if let Some(line) = item.line {
            entry.insert("line".to_owned(), json!(line));
        }
        if let Ok(input) = &item.value {
            entry.insert("input".to_owned(), input.clone());
        }
        if truncated {
            entry.insert("truncated".to_owned(), json!(true));
        }
        entry.insert(key.to_owned(), value);
        let before = if self.answered + self.failed == 0 {
            "["
        } else {
            ","
        };
        output::text(format_args!("{before}\n{}", Value::Object(entry)))
    }

    /// Prints the table or ends the document; how many were answered and how many failed.
    pub(super) fn finish(self) -> Result<(usize, usize)> {
        match self.table {
            Some(table) if self.answered > 0 => output::line(table)?,
            Some(_) => {}
            None if self.answered + self.failed == 0 => output::line("[]")?,
            None => output::line("\n]")?,
        }
        Ok((self.answered, self.failed))
    }
}

/// Where an input comes from: its line, or its beginning.
fn place(item: &Item) -> String {
    match item.line {
        Some(line) => format!("line {line}"),
        None => item.value.as_ref().map(shown).unwrap_or_default(),
    }
}

/// The beginning of an input.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::Object(fields) => {
            let parts = fields.values().flat_map(list);
            parts.collect::<Vec<_>>().join(" | ")
        }
        other => list(other).join(" | "),
    };
    let mut beginning: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        beginning.push('…');
    }
    // Control characters would break the table, or worse.
    beginning.replace(char::is_control, " ")
}

/// A score for people.
pub(super) fn score(score: f32) -> String {
    format!("{score:.4}")
}
