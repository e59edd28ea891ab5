//! Where questions come from: arguments, a file, standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// What the arguments are.
#[derive(Clone, Copy)]
pub(super) enum Arguments {
    /// Each one a question.
    Each,
    /// All of them the parts of one question.
    Together,
}

/// An input as it was read.
pub(super) struct Item {
    /// The line, where it was read from a file or standard input.
    pub line: Option<usize>,
    /// A string, a list of strings or an object; or why it is none.
    pub value: Result<Value, String>,
}

/// The inputs, read as they are asked for.
pub(super) fn items(
    arguments: &[String],
    file: Option<&Path>,
    manner: Arguments,
) -> Result<Box<dyn Iterator<Item = Item>>> {
    let argument = |value: Value| Item {
        line: None,
        value: Ok(value),
    };
    if !arguments.is_empty() {
        let items: Vec<Item> = match manner {
            Arguments::Each => arguments.iter().map(|text| argument(json!(text))).collect(),
            Arguments::Together => vec![argument(json!(arguments))],
        };
        return Ok(Box::new(items.into_iter()));
    }
    let reader: Box<dyn BufRead> = match file {
        Some(path) => {
            let file = File::open(path);
            let file = file.with_context(|| format!("{}: can't be read", path.display()))?;
            Box::new(BufReader::new(file))
        }
        None => Box::new(BufReader::new(io::stdin())),
    };
    Ok(Box::new(read(reader)))
}

/// The inputs of a file: objects where its first line is one, else texts.
pub(super) fn read(reader: Box<dyn BufRead>) -> impl Iterator<Item = Item> {
    let mut objects = None;
    lines(reader).map(move |(line, text)| Item {
        line: Some(line),
        value: text.and_then(|text| {
            let is_object = || matches!(serde_json::from_str(&text), Ok(Value::Object(_)));
            match *objects.get_or_insert_with(is_object) {
                true => object(&text),
                false => Ok(parts(&text)),
            }
        }),
    })
}

/// Numbered lines, each a text or what is wrong with it.
fn lines(mut reader: Box<dyn BufRead>) -> impl Iterator<Item = (usize, Result<String, String>)> {
    let mut number = 0;
    let mut broken = false;
    std::iter::from_fn(move || {
        let mut bytes = Vec::new();
        number += 1;
        match reader.read_until(b'\n', &mut bytes) {
            Ok(0) => None,
            _ if broken => None,
            Ok(_) => Some((number, text(bytes))),
            Err(error) => {
                broken = true;
                Some((number, Err(error.to_string())))
            }
        }
    })
}

fn text(mut bytes: Vec<u8>) -> Result<String, String> {
    for ending in [b'\n', b'\r'] {
        if bytes.last() == Some(&ending) {
            bytes.pop();
        }
    }
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to() + 1;
        format!("not UTF-8 at byte {place}")
    })
}

fn object(line: &str) -> Result<Value, String> {
    match serde_json::from_str(line) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("expected a JSON object, as in the first line".to_owned()),
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

/// A text, or its parts where tabs separate them.
fn parts(line: &str) -> Value {
    match line.contains('\t') {
        true => json!(line.split('\t').collect::<Vec<_>>()),
        false => json!(line),
    }
}

/// A question's named parts, from an object or from a list in this order.
pub(super) fn strings<const N: usize>(
    value: &Value,
    names: [&str; N],
) -> Result<[String; N], String> {
    let expected = names.join(", ");
    match value {
        Value::Object(object) => {
            let field = |name: &str| match object.get(name) {
                Some(Value::String(text)) => Ok(text.clone()),
                Some(_) => Err(format!("the field '{name}' is not a string")),
                None => Err(format!(
                    "the field '{name}' is missing; expected {expected}"
                )),
            };
            let fields = names
                .iter()
                .map(|name| field(name))
                .collect::<Result<Vec<_>, _>>()?;
            fields.try_into().map_err(|_| expected)
        }
        _ => {
            let found = list(value);
            let count = found.len();
            found
                .try_into()
                .map_err(|_| format!("{count} texts, expected {N}: {expected}"))
        }
    }
}

/// The texts of a string or of a list.
pub(super) fn list(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(texts) => {
            let texts = texts.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_endings_are_no_text_and_broken_lines_are_numbered() {
        let reader: Box<dyn BufRead> = Box::new("一\r\n\n\u{85}\n".as_bytes().chain_bad());
        let found: Vec<_> = lines(reader).collect();
        let text = |text: &str| Ok(text.to_owned());
        let bad = Err("not UTF-8 at byte 2".to_owned());
        assert_eq!(
            found,
            [
                (1, text("一")),
                (2, text("")),
                (3, text("\u{85}")),
                (4, bad)
            ]
        );
    }

    trait ChainBad: Sized {
        fn chain_bad(self) -> io::Chain<Self, &'static [u8]>;
    }

    impl ChainBad for &'static [u8] {
        fn chain_bad(self) -> io::Chain<Self, &'static [u8]> {
            io::Read::chain(self, b"a\xffb".as_slice())
        }
    }

    #[test]
    fn parts_come_by_name_or_in_order() {
        let names = ["question", "context"];
        let expected = Ok(["谁？".to_owned(), "李明。".to_owned()]);
        assert_eq!(
            strings(&json!({"context": "李明。", "question": "谁？"}), names),
            expected
        );
        assert_eq!(strings(&parts("谁？\t李明。"), names), expected);
        for (value, error) in [
            (
                json!({"question": "谁？"}),
                "the field 'context' is missing; expected question, context",
            ),
            (
                json!({"question": "谁？", "context": 1}),
                "the field 'context' is not a string",
            ),
            (json!("谁？"), "1 texts, expected 2: question, context"),
        ] {
            assert_eq!(strings(&value, names), Err(error.to_owned()));
        }
    }
}
