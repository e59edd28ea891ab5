//! Turns texts, pairs and words into sequences that fit the model.

use tokenizers::utils::truncation::truncate_encodings;
use tokenizers::{
    EncodeInput, InputSequence, PostProcessor, TruncationDirection, TruncationParams,
    TruncationStrategy,
};

use super::{Encoding, Tokenizer, TokenizerError, failed};

impl Tokenizer {
    /// Encodes a text or a pair as one sequence of at most `max_length` tokens, including special
    /// tokens.
    ///
    /// A longer text is truncated at its end; of two texts, the longer one is truncated first.
    ///
    /// # Errors
    /// [`TokenizerError::NoRoom`], [`TokenizerError::Failed`]; in a pipeline with limits also
    /// [`TokenizerError::TextTooLong`].
    pub fn encode(
        &self,
        text: &str,
        pair: Option<&str>,
        max_length: usize,
    ) -> Result<Encoding, TokenizerError> {
        let strategy = TruncationStrategy::LongestFirst;
        self.cut(text, pair, max_length, strategy)
    }

    /// Encodes all of a text, in as many sequences as needed; neighbours share `stride` tokens.
    ///
    /// Of a pair, the second text is split, and every sequence contains the whole first text.
    ///
    /// # Errors
    /// Those of [`encode`](Self::encode); [`TokenizerError::FirstTooLong`],
    /// [`TokenizerError::Stride`].
    pub fn windows(
        &self,
        text: &str,
        pair: Option<&str>,
        max_length: usize,
        stride: usize,
    ) -> Result<Vec<Encoding>, TokenizerError> {
        let strategy = match pair {
            Some(_) => TruncationStrategy::OnlySecond,
            None => TruncationStrategy::OnlyFirst,
        };
        self.split(text, pair, max_length, stride, strategy)
    }

    /// Encodes a text that is already split into words as one sequence, like
    /// [`encode`](Self::encode). Words keep their indices, and the offsets of a token are counted
    /// within its word. A word that the tokenizer drops, such as a blank, has no token.
    ///
    /// # Errors
    /// Those of [`encode`](Self::encode).
    pub fn encode_words(
        &self,
        words: &[String],
        max_length: usize,
    ) -> Result<Encoding, TokenizerError> {
        self.cut(words, None, max_length, TruncationStrategy::LongestFirst)
    }

    /// Encodes all of a text that is already split into words, in as many sequences as needed, like
    /// [`windows`](Self::windows) and [`encode_words`](Self::encode_words).
    ///
    /// # Errors
    /// Those of [`windows`](Self::windows).
    pub fn windows_of_words(
        &self,
        words: &[String],
        max_length: usize,
        stride: usize,
    ) -> Result<Vec<Encoding>, TokenizerError> {
        let strategy = TruncationStrategy::OnlyFirst;
        self.split(words, None, max_length, stride, strategy)
    }

    /// One sequence with the beginning of the text.
    fn cut<'t>(
        &self,
        text: impl Into<InputSequence<'t>>,
        pair: Option<&str>,
        max_length: usize,
        strategy: TruncationStrategy,
    ) -> Result<Encoding, TokenizerError> {
        let encoding = self.truncated(text, pair, max_length, 0, strategy)?;
        Ok(Encoding {
            truncated: !encoding.get_overflowing().is_empty(),
            ..Encoding::from(&encoding)
        })
    }

    /// All of the text, in several sequences.
    fn split<'t>(
        &self,
        text: impl Into<InputSequence<'t>>,
        pair: Option<&str>,
        max_length: usize,
        stride: usize,
        strategy: TruncationStrategy,
    ) -> Result<Vec<Encoding>, TokenizerError> {
        let encoding = self.truncated(text, pair, max_length, stride, strategy)?;
        let all = std::iter::once(&encoding).chain(encoding.get_overflowing());
        Ok(all.map(Encoding::from).collect())
    }

    fn truncated<'t>(
        &self,
        text: impl Into<InputSequence<'t>>,
        pair: Option<&str>,
        max_length: usize,
        stride: usize,
        strategy: TruncationStrategy,
    ) -> Result<tokenizers::Encoding, TokenizerError> {
        let special = match self.inner.get_post_processor() {
            Some(processor) => processor.added_tokens(pair.is_some()),
            None => 0,
        };
        let first = self.pieces(text, 0)?;
        let second = pair.map(|text| self.pieces(text, 1)).transpose()?;
        let room = max_length.saturating_sub(special);
        if room == 0 {
            return Err(TokenizerError::NoRoom {
                max_length,
                special,
            });
        }
        if let (TruncationStrategy::OnlySecond, Some(second)) = (strategy, &second)
            && first.len() + second.len() > room
        {
            room_for_second(first.len(), room, max_length)?;
        }
        let left = match strategy {
            TruncationStrategy::OnlySecond => room.saturating_sub(first.len()),
            TruncationStrategy::OnlyFirst | TruncationStrategy::LongestFirst => room,
        };
        let total = first.len() + second.as_ref().map_or(0, tokenizers::Encoding::len);
        // The tokenizers crate panics on such a stride.
        if total > room && stride >= left {
            return Err(TokenizerError::Stride {
                stride,
                room: left,
                max_length,
            });
        }
        let parameters = TruncationParams {
            direction: TruncationDirection::Right,
            max_length: room,
            strategy,
            stride,
        };
        truncate_encodings(first, second, &parameters)
            .and_then(|(first, second)| self.inner.post_process(first, second, true))
            .map_err(failed)
    }

    /// The tokens of a text, without special tokens and not truncated.
    pub(super) fn pieces<'t>(
        &self,
        text: impl Into<InputSequence<'t>>,
        type_id: u32,
    ) -> Result<tokenizers::Encoding, TokenizerError> {
        let text = text.into();
        let found = bytes(&text);
        if let Some(limit) = self.text_limit.filter(|it| found > *it) {
            return Err(TokenizerError::TextTooLong { found, limit });
        }
        let encoding = self
            .inner
            .encode_char_offsets(EncodeInput::Single(text), false)
            .map_err(failed)?;
        // Built anew without the range that marks these tokens as the first text: the range of the
        // second text would be added to it.
        Ok(tokenizers::Encoding::new(
            encoding.get_ids().to_vec(),
            vec![type_id; encoding.len()],
            encoding.get_tokens().to_vec(),
            encoding.get_word_ids().to_vec(),
            encoding.get_offsets().to_vec(),
            encoding.get_special_tokens_mask().to_vec(),
            encoding.get_attention_mask().to_vec(),
            Vec::new(),
            Default::default(),
        ))
    }
}

fn room_for_second(first: usize, room: usize, max_length: usize) -> Result<(), TokenizerError> {
    if first >= room {
        return Err(TokenizerError::FirstTooLong {
            found: first,
            max_length,
        });
    }
    Ok(())
}

/// UTF-8 bytes of a text, or of its words.
fn bytes(text: &InputSequence<'_>) -> usize {
    match text {
        InputSequence::Raw(text) => text.len(),
        InputSequence::PreTokenized(words) => words.iter().map(|it| it.len()).sum(),
        InputSequence::PreTokenizedOwned(words) => words.iter().map(|it| it.len()).sum(),
        InputSequence::PreTokenizedCow(words) => words.iter().map(|it| it.len()).sum(),
    }
}
