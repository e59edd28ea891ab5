//! Texts as token ids, and the tensors that a model takes for them.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use ndarray::{Array2, ArrayD, IxDyn};
use nezha_graphs::{DType, Port};
use nezha_runtime::{Tensor, Tensors, Tokenizer};

/// Token ids of the texts in a batch, without padding.
pub type Batch = Vec<Vec<u32>>;

/// The first lines of a file that have text, at most `most`, as the tokenizer in `folder` splits them.
///
/// # Errors
/// Where a file can't be read.
pub fn lines(file: &Path, folder: &Path, most: usize) -> Result<Batch> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{}: can't be read", file.display()))?;
    let tokenizer = Tokenizer::load(folder)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .take(most)
        .map(|line| Ok(tokenizer.encode(line, None, tokenizer.max_length())?.ids))
        .collect()
}

/// What a model of BERT's signature takes for a batch, padded to its longest text.
///
/// # Errors
/// Where it has an input that BERT has not.
pub fn tensors(ports: &[Port], batch: &Batch) -> Result<Tensors> {
    ports
        .iter()
        .map(|port| Ok((port.name.clone(), tensor(port, batch)?)))
        .collect()
}

fn tensor(port: &Port, batch: &Batch) -> Result<Tensor> {
    let longest = batch.iter().map(Vec::len).max().unwrap_or(0);
    let value = |row: usize, column: usize| -> i64 {
        let id = batch[row].get(column);
        match port.name.as_str() {
            "attention_mask" => i64::from(id.is_some()),
            "position_ids" => column as i64,
            "token_type_ids" => 0,
            _ => id.copied().map_or(0, i64::from),
        }
    };
    let known = [
        "input_ids",
        "attention_mask",
        "token_type_ids",
        "position_ids",
    ];
    if !known.contains(&port.name.as_str()) {
        bail!(
            "input '{}' is none of {}: there are no values for it",
            port.name,
            known.join(", ")
        );
    }
    let values = Array2::from_shape_fn((batch.len(), longest), |(row, column)| value(row, column));
    let values = spread(values, port)?;
    match port.dtype {
        DType::I64 => Ok(values.into()),
        DType::I32 => Ok(values.mapv(|it| it as i32).into()),
        DType::F32 => Ok(values.mapv(|it| it as f32).into()),
        found => bail!("input '{}' is {found}, expected int64 or int32", port.name),
    }
}

/// [b, s] as it is; for multiple choice every text is both of two choices, [b, 2, s].
fn spread(values: Array2<i64>, port: &Port) -> Result<ArrayD<i64>> {
    let (batch, sequence) = values.dim();
    match port.shape.as_slice() {
        [_, _] => Ok(values.into_dyn()),
        [_, choices, _] => {
            let choices = choices.as_fixed().unwrap_or(2);
            let values = values.into_shape_with_order(IxDyn(&[batch, 1, sequence]))?;
            let shape = IxDyn(&[batch, choices, sequence]);
            let spread = values.broadcast(shape).map(|it| it.to_owned());
            spread.ok_or_else(|| anyhow!("input '{}' has no choices", port.name))
        }
        shape => bail!("input '{}' has {} axes, expected 2", port.name, shape.len()),
    }
}
