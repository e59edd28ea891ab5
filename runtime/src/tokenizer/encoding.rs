/// A sequence of tokens as the model reads it, including special tokens.
///
/// All lists have one entry for each token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The tokens' ids in the vocabulary.
    pub ids: Vec<u32>,
    /// 0 for the first text, 1 for the second: `token_type_ids`.
    pub type_ids: Vec<u32>,
    /// Start and end of the token in its text, in characters (Unicode scalar values); (0, 0) for a
    /// special token.
    pub offsets: Vec<(usize, usize)>,
    /// The index of the token's word in its text, as the tokenizer splits words; `None` for special
    /// tokens.
    pub words: Vec<Option<u32>>,
    /// 0 for tokens of the first text, 1 for those of the second, `None` for special tokens.
    pub texts: Vec<Option<usize>>,
    /// Whether a part of the text was cut off and is in no other sequence.
    pub truncated: bool,
}

impl Encoding {
    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Start and end of a word, in characters, in the first (0) or second (1) text.
    pub fn word_offsets(&self, word: u32, text: usize) -> Option<(usize, usize)> {
        let tokens = self.words.iter().zip(&self.texts).zip(&self.offsets);
        let mut parts = tokens
            .filter(|((it, of), _)| **it == Some(word) && **of == Some(text))
            .map(|(_, offsets)| *offsets);
        let (start, end) = parts.next()?;
        Some((start, parts.next_back().map_or(end, |(_, end)| end)))
    }
}

impl From<&tokenizers::Encoding> for Encoding {
    fn from(encoding: &tokenizers::Encoding) -> Self {
        Self {
            ids: encoding.get_ids().to_vec(),
            type_ids: encoding.get_type_ids().to_vec(),
            offsets: encoding.get_offsets().to_vec(),
            words: encoding.get_word_ids().to_vec(),
            texts: encoding.get_sequence_ids(),
            truncated: false,
        }
    }
}
