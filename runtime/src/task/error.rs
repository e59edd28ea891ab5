use crate::TokenizerError;

/// Why an input doesn't suit a task, or an output can't be decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// The text can't be tokenized.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The question, or the text to find an answer in, is empty.
    #[error("the {what} is empty")]
    Empty {
        /// Which text.
        what: &'static str,
    },
    /// The tokenizer knows a token that the model has no embedding for.
    #[error(
        "token '{token}' has the id {id}, and the model has embeddings for {rows} tokens, ids 0 to \
         {}: leave it out of the text, or export a checkpoint whose embeddings were resized when the \
         token was added",
        rows.saturating_sub(1)
    )]
    TokenBeyondTable {
        /// The token.
        token: String,
        /// Its id.
        id: u32,
        /// Rows of the word embeddings.
        rows: usize,
    },
    /// There are more choices than the fixed axis of the graph has places for.
    #[error(
        "{found} choices, expected at most {fixed}: the graph's axis of choices has a fixed size"
    )]
    TooManyChoices {
        /// Choices of the input.
        found: usize,
        /// The size of the axis.
        fixed: usize,
    },
    /// The task needs two texts and got one.
    #[error("two texts are needed, the second to be compared with the first")]
    NoPair,
    /// The task reads one text and got a pair.
    #[error("one text is read here, not a pair")]
    Pair,
    /// There are no choices.
    #[error("there is no choice to choose from")]
    NoChoices,
    /// A text to fill in has no gap.
    #[error("the text has no {mask}, or only beyond token {max_length}, where it is cut")]
    NoMask {
        /// The mask token.
        mask: String,
        /// Tokens of a sequence, at most.
        max_length: usize,
    },
    /// The tokenizer has no mask token.
    #[error("the vocabulary has no mask token, so nothing can be filled in")]
    NoMaskToken,
    /// A target is not in the vocabulary.
    #[error("the target '{target}' has no token in the vocabulary")]
    Target {
        /// The target.
        target: String,
    },
    /// An option is invalid.
    #[error("{option}: {reason}")]
    Option {
        /// The option.
        option: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The model has more scores than the config has labels.
    #[error("the model scores label {index}, but config.json's `id2label` has {labels} labels")]
    Label {
        /// The index of the label.
        index: usize,
        /// How many labels there are.
        labels: usize,
    },
    /// The model lacks an output that the task needs, or it has another shape.
    #[error("output '{name}': {reason}")]
    Output {
        /// The output.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}
