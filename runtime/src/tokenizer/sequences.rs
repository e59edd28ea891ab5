//! Texts, pairs and words as sequences of tokens that a model has room for.

use tokenizers::utils::truncation::truncate_encodings;
use tokenizers::{
    EncodeInput, InputSequence, PostProcessor, TruncationDirection, TruncationParams,
    TruncationStrategy,
};

use super::{Encoding, Tokenizer, TokenizerError, failed};

impl Tokenizer {
    /// One sequence of at most `max_length` tokens, special tokens included.
    ///
    /// What is over is cut off at the end; of two texts, the longer one is cut first.
    ///
    /// # Errors
    /// [`TokenizerError::NoRoom`], [`TokenizerError::Failed`].
    pub fn encode(
        &self,
        text: &str,
        pair: Option<&str>,
        max_length: usize,
    ) -> Result<Encoding, TokenizerError> {
        let strategy = TruncationStrategy::LongestFirst;
        self.cut(text, pair, max_length, strategy)
    }

    /// As many sequences as it takes to see all of a text, neighbours sharing `stride` tokens.
    ///
    /// With a pair, the second text is split and every sequence has the whole first text.
    ///
    /// # Errors
    /// [`TokenizerError::NoRoom`], [`TokenizerError::FirstTooLong`], [`TokenizerError::Stride`],
    /// [`TokenizerError::Failed`].
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

    /// One sequence of a text that is split to words already, as [`encode`](Self::encode): the words are
    /// numbered as they are here, and a token's place is counted in its word. A word that the tokenizer
    /// drops, such as a blank, has no token.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_words(
        &self,
        words: &[String],
        max_length: usize,
    ) -> Result<Encoding, TokenizerError> {
        self.cut(words, None, max_length, TruncationStrategy::LongestFirst)
    }

    /// As many sequences as it takes to see all of a text that is split to words already, as
    /// [`windows`](Self::windows) and [`encode_words`](Self::encode_words).
    ///
    /// # Errors
    /// As [`windows`](Self::windows).
    pub fn windows_of_words(
        &self,
        words: &[String],
        max_length: usize,
        stride: usize,
    ) -> Result<Vec<Encoding>, TokenizerError> {
        let strategy = TruncationStrategy::OnlyFirst;
        self.split(words, None, max_length, stride, strategy)
    }

    /// The beginning.
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

    /// All of it, in sequences.
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

    /// The tokens of a text, without special tokens and uncut.
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
        // Built anew without the range that says "these tokens are the first text": the second
        // text's range would stand beside it.
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
