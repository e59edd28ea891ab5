use std::fmt;

/// The form of a value that a head computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// A vector for each text, `[batch, width]`.
    Text(usize),
    /// A vector for each token, `[batch, sequence, width]`.
    Tokens(usize),
    /// A number for each text, `[batch]`.
    TextNumber,
    /// A number for each token, `[batch, sequence]`.
    TokenNumber,
    /// A number for each label and pair of tokens, `[batch, labels, sequence, sequence]`.
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

    /// This form with another width; `None` if the form has no vectors.
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
