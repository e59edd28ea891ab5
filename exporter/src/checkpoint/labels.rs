//! The number of labels and their names: what the caller asks for, else the classifier's rows with
//! the config's names, else `LABEL_0`, `LABEL_1`, ….

use std::path::Path;

use nezha_graphs::{Config, Head, UNNAMED_LABEL_LIMIT};
use serde_json::{Map, Value};

use super::options::Labels;
use super::{CheckpointError, Note, file};

const BY_ID: &str = "id2label";
const BY_LABEL: &str = "label2id";
const COUNT: &str = "num_labels";

/// The number of labels that transformers gives a config that states none.
const DEFAULT_COUNT: u64 = 2;

/// What the config states about the labels.
struct Stated {
    count: u64,
    named: bool,
}

/// Changes the labels in `fields` to those that the caller `asked` for, or to the `rows` of the
/// classifier, and adds a note. `config` is the file's path, for errors.
///
/// Values that can't be read are left for [`Config`] to refuse.
pub(super) fn fit(
    fields: &mut Map<String, Value>,
    asked: Option<&Labels>,
    rows: Option<usize>,
    config: &Path,
    notes: &mut Vec<Note>,
) -> Result<(), CheckpointError> {
    let rows = rows.filter(|_| is_of_labels(fields));
    if let (Some(asked), Some(rows)) = (asked.map(Labels::count), rows)
        && asked != rows
    {
        return Err(CheckpointError::LabelCount {
            path: config.to_owned(),
            asked,
            rows,
        });
    }
    if let Some(Labels::Named(names)) = asked {
        write(fields, names);
        return Ok(());
    }
    let Some(stated) = stated(fields) else {
        return Ok(());
    };
    let Some(count) = asked.map(Labels::count).or(rows) else {
        name_by_digits(fields);
        return Ok(());
    };
    let fits = stated.count == count as u64;
    if stated.named && fits {
        name_by_digits(fields);
        return Ok(());
    }
    if asked.is_none() {
        notes.push(Note::UnnamedLabels {
            count,
            named: stated.named.then_some(stated.count),
            label2id: !stated.named && fields.contains_key(BY_LABEL),
        });
    }
    if !fits && count <= UNNAMED_LABEL_LIMIT {
        write(fields, &Config::unnamed_labels(count));
    } else if !fits {
        // There are more labels than a config may have: the error of `Config` says more.
        fields.remove(BY_ID);
        fields.insert(COUNT.to_owned(), Value::from(count));
    }
    Ok(())
}

/// Whether the rows of `classifier.weight` are labels, instead of the single score of a
/// multiple-choice model.
fn is_of_labels(fields: &Map<String, Value>) -> bool {
    let classes = fields.get("architectures").and_then(Value::as_array);
    let classes = classes.into_iter().flatten().filter_map(Value::as_str);
    let heads: Vec<Head> = classes.filter_map(Head::from_architecture).collect();
    let of_labels = [Head::SequenceClassification, Head::TokenClassification];
    let mut choices = heads.iter().filter(|head| head.has_choices());
    choices.next().is_none() || heads.iter().any(|head| of_labels.contains(head))
}

fn stated(fields: &Map<String, Value>) -> Option<Stated> {
    let present = |field| fields.get(field).filter(|value: &&Value| !value.is_null());
    match present(BY_ID) {
        Some(labels) => Some(Stated {
            count: labels.as_object()?.len() as u64,
            named: true,
        }),
        None => Some(Stated {
            count: match fields.get(COUNT) {
                Some(count) => count.as_u64()?,
                None => DEFAULT_COUNT,
            },
            named: false,
        }),
    }
}

/// Writes the labels in the form of transformers' configs.
fn write(fields: &mut Map<String, Value>, names: &[String]) {
    let by_id = names.iter().enumerate();
    let by_id = by_id.map(|(id, name)| (id.to_string(), Value::from(name.as_str())));
    let by_label = names.iter().enumerate();
    let by_label = by_label.map(|(id, name)| (name.clone(), Value::from(id)));
    fields.insert(BY_ID.to_owned(), Value::Object(by_id.collect()));
    fields.insert(BY_LABEL.to_owned(), Value::Object(by_label.collect()));
    if fields.contains_key(COUNT) {
        fields.insert(COUNT.to_owned(), Value::from(names.len()));
    }
}

/// Writes labels that are numbers as strings: other readers of `config.json` accept only strings.
fn name_by_digits(fields: &mut Map<String, Value>) {
    let Some(labels) = fields.get_mut(BY_ID).and_then(Value::as_object_mut) else {
        return;
    };
    for label in labels.values_mut().filter(|label| label.is_number()) {
        *label = Value::from(label.to_string());
    }
}

/// Reads the names of labels from a file. The file is a text with one name on each line, or JSON: a
/// list of names, an object with numbers as keys (`{"0": "negative"}`), or an object with names as
/// keys (`{"negative": 0}`). A name may be a number.
///
/// # Errors
/// [`CheckpointError::Labels`], or the error of reading the file.
pub fn read_labels(path: impl AsRef<Path>) -> Result<Vec<String>, CheckpointError> {
    let path = path.as_ref();
    let text = file::load_text(path)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let labels = match serde_json::from_str(text) {
        Ok(Value::Array(labels)) => of_list(&labels),
        Ok(Value::Object(labels)) => of_object(&labels),
        Err(error) if path.extension().is_some_and(|it| it == "json") => {
            Err(format!("not valid JSON: {error}"))
        }
        // A single label on a line may be JSON too, such as 1.
        _ => of_lines(text),
    };
    labels.map_err(|reason| CheckpointError::Labels {
        path: path.to_owned(),
        reason,
    })
}

fn of_lines(text: &str) -> Result<Vec<String>, String> {
    // Not `str::lines` and not its notion of white space: a label may contain any character except
    // a line feed.
    let lines: Vec<&str> = text.trim_end_matches(['\r', '\n']).split('\n').collect();
    if lines == [""] {
        return Err("the file is empty".to_owned());
    }
    let lines = lines.into_iter().zip(1..);
    lines
        .map(
            |(line, number)| match line.trim_matches(['\r', ' ', '\t']) {
                "" => Err(format!("line {number} is blank")),
                label => Ok(label.to_owned()),
            },
        )
        .collect()
}

fn of_list(labels: &[Value]) -> Result<Vec<String>, String> {
    if labels.is_empty() {
        return Err("the list is empty".to_owned());
    }
    let labels = labels.iter().enumerate();
    labels
        .map(|(i, label)| name(label).ok_or_else(|| format!("label {i} is {label}")))
        .collect()
}

fn of_object(labels: &Map<String, Value>) -> Result<Vec<String>, String> {
    let by_id = labels
        .iter()
        .map(|(id, label)| Some((id.parse().ok()?, name(label)?)));
    let by_label = labels
        .iter()
        .map(|(label, id)| Some((id.as_u64()?, label.clone())));
    numbered(by_id.collect())
        .or_else(|| numbered(by_label.collect()))
        .ok_or_else(|| "the object doesn't number its labels 0, 1, 2, …".to_owned())
}

/// The labels sorted by number, if the numbers are 0, 1, 2, ….
fn numbered(labels: Option<Vec<(u64, String)>>) -> Option<Vec<String>> {
    let mut labels = labels?;
    labels.sort();
    let complete = labels
        .iter()
        .zip(0..)
        .all(|((id, _), expected)| *id == expected);
    (complete && !labels.is_empty()).then(|| labels.into_iter().map(|(_, name)| name).collect())
}

fn name(label: &Value) -> Option<String> {
    match label {
        Value::String(label) => Some(label.clone()),
        Value::Number(label) => Some(label.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

    use std::fs;

    use super::*;

    fn read(name: &str, text: &str) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        read_labels(&path).map_err(|error| {
            let message = error.to_string();
            assert!(message.contains(name), "no file in: {message}");
            message
        })
    }

    #[test]
    fn every_form_of_a_labels_file_names_the_same_labels() {
        for (file, text) in [
            ("labels.txt", "负面\n正面\n"),
            ("labels.txt", "\u{feff}负面\r\n正面"),
            ("labels.json", r#"["负面", "正面"]"#),
            ("labels", r#"{"1": "正面", "0": "负面"}"#),
            ("label2id.json", r#"{"正面": 1, "负面": 0}"#),
        ] {
            let found = read(file, text);
            assert_eq!(
                found.as_deref(),
                Ok(&["负面", "正面"].map(str::to_owned)[..]),
                "{text}"
            );
        }
    }

    #[test]
    fn numbers_are_labels_too_and_their_digits_are_the_names() {
        for text in [
            "100\n101",
            "[100, 101]",
            r#"{"0": 100, "1": 101}"#,
            r#"{"101": 1, "100": 0}"#,
        ] {
            let found = read("labels.txt", text);
            assert_eq!(
                found.as_deref(),
                Ok(&["100", "101"].map(str::to_owned)[..]),
                "{text}"
            );
        }
        assert_eq!(read("labels.txt", "1"), Ok(vec!["1".to_owned()]));
        assert_eq!(
            read("labels.txt", "[PAD]\n[CLS]").unwrap(),
            ["[PAD]", "[CLS]"]
        );
    }

    #[test]
    fn what_names_no_labels_is_refused_with_its_place() {
        for (file, text, needle) in [
            ("labels.txt", "", "the file is empty"),
            ("labels.txt", "a\n\nb\n", "line 2 is blank"),
            ("labels.json", "[\"a\"", "not valid JSON"),
            ("labels.json", "[]", "the list is empty"),
            ("labels.json", "[\"a\", null]", "label 1 is null"),
            ("labels.json", r#"{"0": "a", "2": "b"}"#, "0, 1, 2, …"),
            ("labels.json", r#"{"a": 0, "b": 0}"#, "0, 1, 2, …"),
        ] {
            let message = read(file, text).unwrap_err();
            assert!(message.contains(needle), "{text:?} gave: {message}");
        }
    }
}
