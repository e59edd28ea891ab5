//! Texts as token ids, and the tensors that a model takes for them.

use std::io;
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayD, IxDyn};
use nezha_graphs::{DType, Port, Role};
use nezha_runtime::{Tensor, Tensors, Tokenizer, TokenizerError};

/// Token ids of the texts in a batch, without padding.
pub type Batch = Vec<Vec<u32>>;

/// The roles of inputs that can be filled.
const KNOWN: [Role; 5] = [
    Role::TokenIds,
    Role::AttentionMask,
    Role::SelfAttentionMask,
    Role::TokenTypes,
    Role::PositionIds,
];

/// Why texts can't be made inputs of a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextsError {
    /// The file of texts can't be read.
    #[error("{}: can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's message.
        source: io::Error,
    },
    /// A text can't be tokenized.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The model has an input that BERT doesn't have.
    #[error("input '{name}' is not known, so there are no values for it; expected {}", KNOWN.map(Role::name).join(", "))]
    UnknownInput {
        /// The input.
        name: String,
    },
    /// An input has another element type than ids have.
    #[error("input '{name}' is {found}, expected int64 or int32")]
    DType {
        /// The input.
        name: String,
        /// Its element type.
        found: DType,
    },
    /// An input has neither a text nor choices in each row.
    #[error("input '{name}' has {axes} axes, expected 2")]
    Shape {
        /// The input.
        name: String,
        /// How many axes it has.
        axes: usize,
    },
}

/// The token ids of the first `most` lines with text in a file, from the tokenizer in `folder`.
///
/// # Errors
/// [`TextsError::Read`] and [`TextsError::Tokenizer`].
pub fn lines(
    file: impl AsRef<Path>,
    folder: impl AsRef<Path>,
    most: usize,
) -> Result<Batch, TextsError> {
    let file = file.as_ref();
    let text = std::fs::read_to_string(file).map_err(|source| TextsError::Read {
        path: file.to_owned(),
        source,
    })?;
    split(&text, &Tokenizer::load(folder)?, most)
}

/// The token ids of the first `most` lines with text.
///
/// # Errors
/// [`TextsError::Tokenizer`].
pub fn split(text: &str, tokenizer: &Tokenizer, most: usize) -> Result<Batch, TextsError> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .take(most)
        .map(|line| Ok(tokenizer.encode(line, None, tokenizer.max_length())?.ids))
        .collect()
}

/// The inputs of a model with BERT's signature for a batch, padded to its longest text.
///
/// # Errors
/// [`TextsError`] if the model has an input that BERT doesn't have.
pub fn tensors(ports: &[Port], batch: &Batch) -> Result<Tensors, TextsError> {
    ports
        .iter()
        .map(|port| Ok((port.name.clone(), tensor(port, batch)?)))
        .collect()
}

fn tensor(port: &Port, batch: &Batch) -> Result<Tensor, TextsError> {
    let longest = batch.iter().map(Vec::len).max().unwrap_or(0);
    let value = |row: usize, column: usize| -> i64 {
        let id = batch[row].get(column);
        match port.role {
            Role::AttentionMask | Role::SelfAttentionMask => i64::from(id.is_some()),
            Role::PositionIds => column as i64,
            Role::TokenTypes => 0,
            _ => id.copied().map_or(0, i64::from),
        }
    };
    let name = || port.name.clone();
    if !KNOWN.contains(&port.role) {
        return Err(TextsError::UnknownInput { name: name() });
    }
    let values = Array2::from_shape_fn((batch.len(), longest), |(row, column)| value(row, column));
    let values = spread(values, port)?;
    Tensor::of_integers(port.dtype, values).ok_or_else(|| TextsError::DType {
        name: name(),
        found: port.dtype,
    })
}

/// Gives values `[b, s]` the shape of an input: the same, or for multiple choice `[b, 2, s]`, where
/// both choices have the same text. A mask of pairs has one axis more, with the same row for each
/// token.
fn spread(values: Array2<i64>, port: &Port) -> Result<ArrayD<i64>, TextsError> {
    let (batch, sequence) = values.dim();
    match (port.role, port.shape.as_slice()) {
        (Role::SelfAttentionMask, [_, _, _]) => {
            let shape = IxDyn(&[batch, sequence, sequence]);
            Ok(ArrayD::from_shape_fn(shape, |at| values[[at[0], at[2]]]))
        }
        (_, [_, _]) => Ok(values.into_dyn()),
        (Role::SelfAttentionMask, [_, choices, _, _]) => {
            let choices = choices.as_fixed().unwrap_or(2);
            let shape = IxDyn(&[batch, choices, sequence, sequence]);
            Ok(ArrayD::from_shape_fn(shape, |at| values[[at[0], at[3]]]))
        }
        (_, [_, choices, _]) => {
            let choices = choices.as_fixed().unwrap_or(2);
            let shape = IxDyn(&[batch, choices, sequence]);
            Ok(ArrayD::from_shape_fn(shape, |at| values[[at[0], at[2]]]))
        }
        (_, shape) => Err(TextsError::Shape {
            name: port.name.clone(),
            axes: shape.len(),
        }),
    }
}
