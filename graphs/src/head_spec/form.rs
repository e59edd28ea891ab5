use std::fmt;

/// What a value of a head is, for each text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// A vector, `[batch, width]`.
    Text(usize),
    /// A vector for each token, `[batch, sequence, width]`.
    Tokens(usize),
    /// A number, `[batch]`.
    TextNumber,
    /// A number for each token, `[batch, sequence]`.
    TokenNumber,
    /// Numbers for each pair of tokens, `[batch, labels, sequence, sequence]`.
    Pairs(usize),
}

impl Form {
    /// How many numbers there are for each text, token or pair.
    pub fn width(self) -> usize {
        match self {
            Form::Text(width) | Form::Tokens(width) | Form::Pairs(width) => width,
            Form::TextNumber | Form::TokenNumber => 1,
        }
    }

    /// The same with vectors of another width; `None` where there are no vectors.
    pub(super) fn with_width(self, width: usize) -> Option<Self> {
        match self {
            Form::Text(_) => Some(Form::Text(width)),
            Form::Tokens(_) => Some(Form::Tokens(width)),
            Form::TextNumber | Form::TokenNumber | Form::Pairs(_) => None,
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::Text(width) => write!(f, "a vector of {width} for each text"),
            Form::Tokens(width) => write!(f, "a vector of {width} for each token"),
            Form::TextNumber => f.write_str("a number for each text"),
            Form::TokenNumber => f.write_str("a number for each token"),
            Form::Pairs(width) => write!(f, "{width} numbers for each pair of tokens"),
        }
    }
}
