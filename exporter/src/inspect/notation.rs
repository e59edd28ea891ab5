//! Shapes that are short enough for a place beside an edge, such as `[b, 12, s, 64]`, with a key to
//! the letters.

use std::collections::{BTreeMap, HashSet};

use nezha_graphs::TensorType;

/// The element type that is not written.
const USUAL: &str = "float32";

/// One or more letters for each named axis.
pub(super) struct Notation {
    /// The letters, by the name of the axis.
    short: BTreeMap<String, String>,
}

impl Notation {
    /// Gives each axis of `types` the shortest prefix of its name that no other axis has.
    pub(super) fn new<'t>(types: impl IntoIterator<Item = &'t TensorType>) -> Self {
        let mut short = BTreeMap::new();
        let mut taken = HashSet::new();
        for dim in types.into_iter().flat_map(|it| it.shape.iter().flatten()) {
            for name in words(dim).filter(|it| is_name(it)) {
                if !short.contains_key(name) {
                    let ends = name.char_indices().map(|(at, c)| at + c.len_utf8());
                    let mut beginnings = ends.filter_map(|end| name.get(..end));
                    let free = beginnings.find(|it| !taken.contains(*it)).unwrap_or(name);
                    taken.insert(free.to_owned());
                    short.insert(name.to_owned(), free.to_owned());
                }
            }
        }
        Self { short }
    }

    /// The short form of a type; the element type is written only if it is not float32.
    pub(super) fn write(&self, tensor_type: &TensorType) -> String {
        let dims = tensor_type.shape.as_ref();
        let dims = dims.map(|dims| dims.iter().map(|it| self.dim(it)).collect::<Vec<_>>());
        let dims = dims.map_or_else(|| "…".to_owned(), |dims| dims.join(", "));
        match tensor_type.dtype.as_str() {
            USUAL => format!("[{dims}]"),
            dtype => format!("{dtype} [{dims}]"),
        }
    }

    /// The meaning of the letters.
    pub(super) fn key(&self) -> String {
        let axes = self
            .short
            .iter()
            .map(|(name, short)| format!("{short} = {name}"));
        let axes = axes.chain([format!("{USUAL} where no type is named")]);
        axes.collect::<Vec<_>>().join(" · ")
    }

    fn dim(&self, dim: &str) -> String {
        words(dim)
            .map(|word| self.short.get(word).map_or(word, String::as_str))
            .collect()
    }
}

/// The pieces of a dimension such as `batch_size*num_choices`: names and numbers, and the text
/// between them.
fn words(dim: &str) -> impl Iterator<Item = &str> {
    dim.split_inclusive(|c| !is_part_of_name(c))
        .flat_map(|piece| match piece.char_indices().next_back() {
            Some((at, last)) if !is_part_of_name(last) => [&piece[..at], &piece[at..]],
            _ => [piece, ""],
        })
        .filter(|piece| !piece.is_empty())
}

fn is_part_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.'
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor_type(dtype: &str, dims: &[&str]) -> TensorType {
        TensorType {
            dtype: dtype.to_owned(),
            shape: Some(dims.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn axes_shorten_to_beginnings_that_differ_and_numbers_stay() {
        let types = [
            tensor_type(
                "float32",
                &["batch_size*num_choices", "12", "sequence_length"],
            ),
            tensor_type("int64", &["past_sequence_length + sequence_length", "size"]),
        ];
        let notation = Notation::new(&types);
        assert_eq!(notation.write(&types[0]), "[b*n, 12, s]");
        assert_eq!(notation.write(&types[1]), "int64 [p + s, si]");
        assert_eq!(
            notation.key(),
            "b = batch_size · n = num_choices · p = past_sequence_length · s = sequence_length · \
             si = size · float32 where no type is named"
        );
    }
}
