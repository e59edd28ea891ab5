use ndarray::Array2;

use super::DecoderError;

/// The tokens that a sequence continues, with the token type of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    ids: Vec<u32>,
    token_types: Vec<u32>,
    type_of_new: u32,
}

impl Prompt {
    /// A prompt whose tokens have type 0; generated tokens have it too.
    pub fn new(ids: Vec<u32>) -> Self {
        Self {
            token_types: vec![0; ids.len()],
            ids,
            type_of_new: 0,
        }
    }

    /// A dialogue, as `nezha_gpt_dialog` reads it: `first`, which is `[CLS]`, then each turn's
    /// tokens followed by `last`, which is `[SEP]`. The token types of the turns alternate between
    /// 0 and 1. The next turn is generated.
    pub fn dialogue(first: u32, turns: &[Vec<u32>], last: u32) -> Self {
        let mut prompt = Self::new(vec![first]);
        for turn in turns {
            let tokens = turn.iter().copied().chain([last]);
            let before = prompt.ids.len();
            prompt.ids.extend(tokens);
            let new = prompt.ids.len() - before;
            let of_turn = std::iter::repeat_n(prompt.type_of_new, new);
            prompt.token_types.extend(of_turn);
            prompt.type_of_new = 1 - prompt.type_of_new;
        }
        prompt
    }

    /// The tokens.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The token type of each token.
    pub fn token_types(&self) -> &[u32] {
        &self.token_types
    }

    /// The token type of the tokens that are generated.
    pub(super) fn type_of_new(&self) -> i64 {
        self.type_of_new.into()
    }
}

impl From<Vec<u32>> for Prompt {
    fn from(ids: Vec<u32>) -> Self {
        Self::new(ids)
    }
}

/// Prompts as one batch, padded on the left to one length.
pub(super) struct Padded {
    pub(super) ids: Array2<i64>,
    /// 1 for a token, 0 for padding.
    pub(super) mask: Array2<i64>,
    pub(super) token_types: Array2<i64>,
}

impl Padded {
    pub(super) fn new(prompts: &[Prompt]) -> Result<Self, DecoderError> {
        if let Some(index) = prompts.iter().position(|it| it.ids.is_empty()) {
            return Err(DecoderError::EmptyPrompt { index });
        }
        let lengths = prompts.iter().map(|it| it.ids.len());
        let length = lengths.max().unwrap_or(0);
        let zeros = || Array2::zeros((prompts.len(), length));
        let (mut ids, mut mask, mut token_types) = (zeros(), zeros(), zeros());
        for (row, prompt) in prompts.iter().enumerate() {
            let columns = length - prompt.ids.len()..length;
            let tokens = prompt.ids.iter().zip(&prompt.token_types);
            for (column, (id, token_type)) in columns.zip(tokens) {
                ids[[row, column]] = i64::from(*id);
                mask[[row, column]] = 1;
                token_types[[row, column]] = i64::from(*token_type);
            }
        }
        Ok(Self {
            ids,
            mask,
            token_types,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_of_a_dialogue_are_of_both_texts_by_turns_and_so_is_the_next_one() {
        let prompt = Prompt::dialogue(101, &[vec![1, 2], vec![3]], 102);
        assert_eq!(prompt.ids(), [101, 1, 2, 102, 3, 102]);
        assert_eq!(prompt.token_types(), [0, 0, 0, 0, 1, 1]);
        assert_eq!(prompt.type_of_new(), 0);
        assert_eq!(Prompt::dialogue(101, &[vec![1]], 102).type_of_new(), 1);
    }
}
