use std::collections::BTreeMap;

use ndarray::{Array2, ArrayD, ArrayView1, Axis, Dimension};
use nezha_graphs::{Config, Head};

use super::{ReferenceError, heads};

/// The mask with a row for each token.
const SELF_ATTENTION_MASK: &str = "self_attention_mask";

/// The inputs by the contract's names.
///
/// - `input_ids` i64 or `inputs_embeds` f64, `attention_mask` i64 (default ones), `token_type_ids`
///   i64 (default zeros), shaped as the contract says for the head;
/// - `self_attention_mask` i64 instead of `attention_mask`, with one more axis of size s at its
///   end: row i has 1 if token i attends to the token of the column. No causal mask is added to it;
/// - `head_mask` f64 `[L, A]` or `[A]` (default ones);
/// - with cross-attention, `encoder_hidden_states` f64 `[texts, e, H]` (without it the block is
///   skipped, as in transformers) and `encoder_attention_mask` i64 `[texts, e]` (default ones); the
///   texts of multiple choice are batch·choices;
/// - the head's labels; if they are given, the outputs contain `loss`.
pub type Inputs = BTreeMap<String, Tensor>;

/// An input of the reference.
#[derive(Clone, Debug, PartialEq)]
pub enum Tensor {
    /// Ids, masks, classes and positions.
    I64(ArrayD<i64>),
    /// Embeddings, hidden states, head masks, and labels that are numbers.
    F64(ArrayD<f64>),
}

impl Tensor {
    /// The shape.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::I64(array) => array.shape(),
            Self::F64(array) => array.shape(),
        }
    }
}

impl From<ArrayD<i64>> for Tensor {
    fn from(array: ArrayD<i64>) -> Self {
        Self::I64(array)
    }
}

impl From<ArrayD<f64>> for Tensor {
    fn from(array: ArrayD<f64>) -> Self {
        Self::F64(array)
    }
}

impl From<ArrayD<f32>> for Tensor {
    fn from(array: ArrayD<f32>) -> Self {
        Self::F64(array.mapv(f64::from))
    }
}

/// The validated inputs, text by text: the rows of a batch are independent.
pub(super) struct Batch {
    /// At least one; each choice is a text of its own.
    pub(super) texts: Vec<Text>,
    /// Factors of the attention probabilities, `[L, A]`.
    pub(super) head_mask: Array2<f64>,
    /// Number of consecutive texts that are the choices of one question; 1 except in multiple
    /// choice.
    pub(super) choices: usize,
}

/// One text of the batch, s tokens long.
pub(super) struct Text {
    pub(super) words: Words,
    /// Row of the token type embeddings, for each token.
    pub(super) token_types: Vec<usize>,
    /// Whether token i attends to token j, `[s, s]`.
    pub(super) visible: Array2<bool>,
    /// What cross-attention reads.
    pub(super) encoder: Option<EncoderOutput>,
}

/// The word embeddings of a text.
pub(super) enum Words {
    /// Ids, which are rows of the word embeddings.
    Ids(Vec<usize>),
    /// The embeddings themselves, `[s, H]`.
    Embeddings(Array2<f64>),
}

/// An encoder's hidden states for one text.
pub(super) struct EncoderOutput {
    /// `[e, H]`.
    pub(super) hidden_states: Array2<f64>,
    /// For each position, whether it may be attended to.
    pub(super) visible: Vec<bool>,
}

/// Checks the inputs and splits them into texts.
pub(super) fn batch(config: &Config, head: Head, inputs: &Inputs) -> Result<Batch, ReferenceError> {
    refuse_unknown(config, head, inputs)?;
    let (shape, words) = words(config, head, inputs)?;
    let types = indices(inputs, "token_type_ids", &shape, config.type_vocab_size, 0)?;
    let masks = masks(config, inputs, &shape)?;
    let encoders = encoder_outputs(config, inputs, words.len())?;
    let texts = words.into_iter().zip(types).zip(masks).zip(encoders);
    Ok(Batch {
        texts: texts
            .map(|(((words, token_types), visible), encoder)| Text {
                words,
                token_types,
                visible,
                encoder,
            })
            .collect(),
        head_mask: head_mask(config, inputs)?,
        choices: match shape[..] {
            [_, choices, _] => choices,
            _ => 1,
        },
    })
}

/// The input `name`, if given: integers of exactly this shape.
pub(super) fn integers<'a>(
    inputs: &'a Inputs,
    name: &str,
    shape: &[usize],
) -> Result<Option<&'a ArrayD<i64>>, ReferenceError> {
    match inputs.get(name) {
        None => Ok(None),
        Some(Tensor::I64(array)) => expect_shape(name, array, &[shape]).map(Some),
        Some(Tensor::F64(_)) => Err(ReferenceError::InputType {
            name: name.to_owned(),
            expected: "whole numbers (int64)",
            found: "floating-point numbers",
        }),
    }
}

/// The input `name`, if given: floating-point numbers of one of these shapes.
pub(super) fn floats<'a>(
    inputs: &'a Inputs,
    name: &str,
    shapes: &[&[usize]],
) -> Result<Option<&'a ArrayD<f64>>, ReferenceError> {
    match inputs.get(name) {
        None => Ok(None),
        Some(Tensor::F64(array)) => expect_shape(name, array, shapes).map(Some),
        Some(Tensor::I64(_)) => Err(ReferenceError::InputType {
            name: name.to_owned(),
            expected: "floating-point numbers",
            found: "whole numbers (int64)",
        }),
    }
}

/// Checks that no number is negative, and that all are less than `bound`.
pub(super) fn expect_below(
    bound: usize,
    name: &str,
    array: &ArrayD<i64>,
    is_exempt: impl Fn(i64) -> bool,
) -> Result<(), ReferenceError> {
    let outside = array.indexed_iter().find(|(_, value)| {
        !is_exempt(**value) && !usize::try_from(**value).is_ok_and(|index| index < bound)
    });
    match outside {
        None => Ok(()),
        Some((index, value)) => Err(ReferenceError::OutOfRange {
            name: name.to_owned(),
            index: index.slice().to_vec(),
            value: *value,
            last: bound.saturating_sub(1),
        }),
    }
}

fn expect_shape<'a, T>(
    name: &str,
    array: &'a ArrayD<T>,
    shapes: &[&[usize]],
) -> Result<&'a ArrayD<T>, ReferenceError> {
    if shapes.contains(&array.shape()) {
        return Ok(array);
    }
    let shapes: Vec<String> = shapes.iter().map(|shape| format!("{shape:?}")).collect();
    Err(misshapen(name, shapes.join(" or "), array.shape()))
}

fn misshapen(name: &str, expected: String, found: &[usize]) -> ReferenceError {
    ReferenceError::InputShape {
        name: name.to_owned(),
        expected,
        found: found.to_vec(),
    }
}

fn refuse_unknown(config: &Config, head: Head, inputs: &Inputs) -> Result<(), ReferenceError> {
    let mut known = vec![
        "input_ids",
        "inputs_embeds",
        "attention_mask",
        SELF_ATTENTION_MASK,
        "token_type_ids",
        "head_mask",
    ];
    if config.add_cross_attention {
        known.extend(["encoder_hidden_states", "encoder_attention_mask"]);
    }
    let labels = heads::of(head).labels().iter().map(|role| role.name());
    let labels: Vec<_> = labels.collect();
    known.extend(labels.iter().map(|name| &**name));
    match inputs.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(ReferenceError::UnknownInput {
            name: name.clone(),
            head,
            known: known.join(", "),
        }),
    }
}

/// For each text, which tokens each token attends to. `shape` is the shape of the token ids.
///
/// The causal mask and the padding mask are combined, so that the minimum replaces a score only
/// once.
fn masks(
    config: &Config,
    inputs: &Inputs,
    shape: &[usize],
) -> Result<Vec<Array2<bool>>, ReferenceError> {
    let length = shape.last().copied().unwrap_or(1);
    if !inputs.contains_key(SELF_ATTENTION_MASK) {
        let masks = indices(inputs, "attention_mask", shape, 2, 1)?;
        let square = |mask: Vec<usize>| {
            let visible = is_one(&mask);
            Array2::from_shape_fn((length, length), |(i, j)| {
                visible[j] && (!config.is_decoder || j <= i)
            })
        };
        return Ok(masks.into_iter().map(square).collect());
    }
    if inputs.contains_key("attention_mask") {
        return Err(ReferenceError::TwoMasks);
    }
    let shape = [shape, &[length]].concat();
    let rows = indices(inputs, SELF_ATTENTION_MASK, &shape, 2, 1)?;
    let texts = rows.chunks(length);
    Ok(texts
        .map(|rows| Array2::from_shape_fn((length, length), |(i, j)| rows[i][j] == 1))
        .collect())
}

/// The shape of `input_ids`, given or implied, `[batch, s]` or `[batch, choices, s]`, and the words
/// of each text.
fn words(
    config: &Config,
    head: Head,
    inputs: &Inputs,
) -> Result<(Vec<usize>, Vec<Words>), ReferenceError> {
    let (name, axes, found) = match (inputs.get("input_ids"), inputs.get("inputs_embeds")) {
        (Some(ids), None) => ("input_ids", 2, ids.shape()),
        (None, Some(embeddings)) => ("inputs_embeds", 3, embeddings.shape()),
        (None, None) => return Err(ReferenceError::InputIdsOrEmbeds { found: "none is" }),
        (Some(_), Some(_)) => return Err(ReferenceError::InputIdsOrEmbeds { found: "both are" }),
    };
    let axes = axes + usize::from(head.has_choices());
    if found.len() != axes || found.contains(&0) {
        return Err(misshapen(
            name,
            format!("{axes} axes, none of them empty"),
            found,
        ));
    }
    if name == "input_ids" {
        let shape = found.to_vec();
        let ids = indices(inputs, name, &shape, config.vocab_size, 0)?;
        return Ok((shape, ids.into_iter().map(Words::Ids).collect()));
    }
    let shape = found[..axes - 1].to_vec();
    let expected = [&shape[..], &[config.hidden_size]].concat();
    let embeddings = floats(inputs, name, &[&expected])?;
    let words = embeddings.into_iter().flat_map(matrices);
    Ok((shape, words.map(Words::Embeddings).collect()))
}

/// The rows along the last axis of an integer input, whose numbers must be at least 0 and less than
/// `bound`; rows of `default` if the input is not given.
fn indices(
    inputs: &Inputs,
    name: &str,
    shape: &[usize],
    bound: usize,
    default: usize,
) -> Result<Vec<Vec<usize>>, ReferenceError> {
    let (length, leading) = match shape {
        [leading @ .., length] => (*length, leading),
        [] => (1, shape),
    };
    let Some(array) = integers(inputs, name, shape)? else {
        return Ok(vec![vec![default; length]; leading.iter().product()]);
    };
    expect_below(bound, name, array, |_| false)?;
    let rows = array.lanes(Axis(leading.len()));
    let row = |row: ArrayView1<i64>| row.iter().map(|index| *index as usize).collect();
    Ok(rows.into_iter().map(row).collect())
}

/// The matrices along the last two axes.
fn matrices(array: &ArrayD<f64>) -> Vec<Array2<f64>> {
    let [.., rows, columns] = *array.shape() else {
        return Vec::new();
    };
    let values: Vec<f64> = array.iter().copied().collect();
    let matrices = values.chunks(rows * columns);
    matrices
        .map(|it| Array2::from_shape_fn((rows, columns), |(i, j)| it[i * columns + j]))
        .collect()
}

fn encoder_outputs(
    config: &Config,
    inputs: &Inputs,
    texts: usize,
) -> Result<Vec<Option<EncoderOutput>>, ReferenceError> {
    let (name, mask) = ("encoder_hidden_states", "encoder_attention_mask");
    let Some(given) = inputs.get(name) else {
        return match inputs.get(mask) {
            None => Ok((0..texts).map(|_| None).collect()),
            Some(_) => Err(ReferenceError::MissingInput { name, given: mask }),
        };
    };
    let length = match given.shape() {
        [_, length, _] if *length > 0 => *length,
        found => {
            return Err(misshapen(
                name,
                "3 axes, none of them empty".to_owned(),
                found,
            ));
        }
    };
    let hidden_states = floats(inputs, name, &[&[texts, length, config.hidden_size]])?;
    let hidden_states = hidden_states.into_iter().flat_map(matrices);
    let masks = indices(inputs, mask, &[texts, length], 2, 1)?;
    let pairs = hidden_states.zip(masks);
    Ok(pairs
        .map(|(hidden_states, mask)| {
            Some(EncoderOutput {
                hidden_states,
                visible: is_one(&mask),
            })
        })
        .collect())
}

fn head_mask(config: &Config, inputs: &Inputs) -> Result<Array2<f64>, ReferenceError> {
    let (layers, heads) = (config.num_hidden_layers, config.num_attention_heads);
    let mask = floats(inputs, "head_mask", &[&[layers, heads], &[heads]])?;
    Ok(Array2::from_shape_fn(
        (layers, heads),
        |(layer, head)| match mask {
            None => 1.0,
            Some(mask) if mask.ndim() == 1 => mask[[head]],
            Some(mask) => mask[[layer, head]],
        },
    ))
}

fn is_one(mask: &[usize]) -> Vec<bool> {
    mask.iter().map(|value| *value == 1).collect()
}
