use ndarray::Array2;

use super::DecoderError;

/// What a sequence goes on from: tokens, and which text each of them is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    ids: Vec<u32>,
    token_types: Vec<u32>,
    type_of_new: u32,
}

impl Prompt {
    /// Tokens of the first text, and new ones of it too.
    pub fn new(ids: Vec<u32>) -> Self {
        Self {
            token_types: vec![0; ids.len()],
            ids,
            type_of_new: 0,
        }
    }

    /// A dialogue whose turns are of the first and of the second text by turns, as `nezha_gpt_dialog` reads
    /// it: `first` `[CLS]`, then each turn's tokens and `last` `[SEP]`. What is generated is the next turn.
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

    /// Which text each token is of.
    pub fn token_types(&self) -> &[u32] {
        &self.token_types
    }

    /// Which text new tokens are of.
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
