//! The reader of `vocab.txt`.

use std::collections::HashMap;

/// The tokens of a `vocab.txt` by their ids, as transformers' `BertTokenizer` reads the file.
///
/// Each line is a token, and its id is the line's number, from 0. A line ends with `\n`, `\r\n` or
/// `\r` and with nothing else: U+2028 is a token of the official Chinese vocabulary. Spaces belong
/// to the token, and an empty line is the empty token. If lines are equal, the last one counts. A
/// byte order mark is not part of the first token; transformers reads it as part, and so loses that
/// token.
///
/// ```
/// use nezha_graphs::Vocabulary;
///
/// let vocabulary = Vocabulary::read("[PAD]\r\n\u{2028}\r\n".as_bytes())?;
/// assert_eq!(vocabulary.id("\u{2028}"), Some(1));
/// # Ok::<(), nezha_graphs::VocabularyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocabulary {
    ids: HashMap<String, u32>,
    /// Whether the file starts with a byte order mark.
    pub byte_order_mark: bool,
    /// Tokens on several lines, with one entry for each line that repeats a token.
    pub repeated: Vec<RepeatedToken>,
}

/// A token that is repeated in a `vocab.txt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepeatedToken {
    /// The token.
    pub token: String,
    /// Its id from the earlier line, which now belongs to no token.
    pub lost: u32,
    /// Its id from the later line.
    pub id: u32,
}

/// A `vocab.txt` is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not UTF-8")]
pub struct VocabularyError {
    /// The first line that is not UTF-8, from 1.
    pub line: usize,
}

impl Vocabulary {
    /// Reads the bytes of a `vocab.txt`.
    ///
    /// # Errors
    /// [`VocabularyError`] if they are not UTF-8.
    pub fn read(bytes: &[u8]) -> Result<Self, VocabularyError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let (valid, _) = bytes.split_at(error.valid_up_to());
            VocabularyError {
                line: 1 + line_ends(valid),
            }
        })?;
        let (byte_order_mark, text) = match text.strip_prefix('\u{feff}') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let mut vocabulary = Self {
            byte_order_mark,
            ..Self::default()
        };
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        for (token, id) in text.split_terminator('\n').zip(0..) {
            if let Some(lost) = vocabulary.ids.insert(token.to_owned(), id) {
                vocabulary.repeated.push(RepeatedToken {
                    token: token.to_owned(),
                    lost,
                    id,
                });
            }
        }
        Ok(vocabulary)
    }

    /// The id of a token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    /// The number of different tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Tokens and ids, in the order of the ids.
    pub fn by_id(&self) -> Vec<(&str, u32)> {
        let mut tokens: Vec<(&str, u32)> = self.ids.iter().map(|(it, id)| (&**it, *id)).collect();
        tokens.sort_by_key(|(_, id)| *id);
        tokens
    }

    /// The id of each token.
    pub fn into_ids(self) -> HashMap<String, u32> {
        self.ids
    }
}

/// How many lines end in these bytes.
fn line_ends(bytes: &[u8]) -> usize {
    let ends = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r'));
    let pairs = bytes.windows(2).filter(|pair| **pair == *b"\r\n");
    ends.count() - pairs.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<(String, u32)> {
        let vocabulary = Vocabulary::read(text.as_bytes()).unwrap();
        let tokens = vocabulary.by_id().into_iter();
        tokens.map(|(token, id)| (token.to_owned(), id)).collect()
    }

    fn numbered(tokens: &[&str]) -> Vec<(String, u32)> {
        let tokens = tokens.iter().map(|it| (*it).to_owned());
        tokens.zip(0..).collect()
    }

    #[test]
    fn lines_end_as_in_universal_newlines_and_nowhere_else() {
        let expected = numbered(&["[PAD]", "a", "b"]);
        for text in ["[PAD]\na\nb\n", "[PAD]\r\na\r\nb", "[PAD]\ra\rb\r"] {
            assert_eq!(tokens(text), expected, "{text:?}");
        }
        for separator in
            "\u{b}\u{c}\u{1c}\u{1d}\u{1e}\u{1f}\u{85}\u{a0}\u{2028}\u{2029}\u{3000} \t".chars()
        {
            let (alone, piece) = (separator.to_string(), format!("##{separator}"));
            let text = format!("[PAD]\n{alone}\n{piece}\nz{separator}\n");
            let expected = numbered(&["[PAD]", &alone, &piece, &format!("z{separator}")]);
            assert_eq!(tokens(&text), expected, "{separator:?}");
        }
    }

    #[test]
    fn a_blank_line_is_the_empty_token_and_keeps_the_numbers() {
        assert_eq!(tokens("a\n\nb\n"), numbered(&["a", "", "b"]));
        assert_eq!(tokens("a\n\n"), numbered(&["a", ""]));
        assert_eq!(tokens(""), numbered(&[]));
    }

    #[test]
    fn of_equal_lines_the_last_one_counts_and_the_others_are_named() {
        let vocabulary = Vocabulary::read(b"a\nb\na\na\n").unwrap();
        assert_eq!(vocabulary.by_id(), [("b", 1), ("a", 3)]);
        let repeated = |lost, id| RepeatedToken {
            token: "a".to_owned(),
            lost,
            id,
        };
        assert_eq!(vocabulary.repeated, [repeated(0, 2), repeated(2, 3)]);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_token() {
        let vocabulary = Vocabulary::read("\u{feff}[PAD]\na\u{feff}\n".as_bytes()).unwrap();
        assert!(vocabulary.byte_order_mark);
        assert_eq!(vocabulary.by_id(), [("[PAD]", 0), ("a\u{feff}", 1)]);
        assert!(!Vocabulary::read(b"[PAD]\n").unwrap().byte_order_mark);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_by_line() {
        let texts: [&[u8]; 4] = [
            b"a\nb\n\xff\n",
            b"a\r\nb\r\n\xff",
            b"a\rb\r\xff\r",
            b"a\rb\n\xff\r\n",
        ];
        for text in texts {
            let error = Vocabulary::read(text).unwrap_err();
            assert_eq!(error.to_string(), "line 3 is not UTF-8", "{text:?}");
        }
    }
}
