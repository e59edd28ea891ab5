//! Makes tensors of rows: which rows share a batch, and how they are padded.

use std::cmp::Reverse;
use std::num::NonZeroUsize;

use ndarray::{ArrayD, Axis, IxDyn};
use nezha_graphs::{Port, Role, Signature, setters};

use crate::task::{FixedAxes, Row};
use crate::{Encoding, Tensor, Tensors};

/// How inputs are batched for the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batching {
    /// Inputs that are read ahead and sorted by length, so that the rows of a batch have similar
    /// lengths.
    pub window: NonZeroUsize,
    /// Rows of a batch, at most.
    pub rows: NonZeroUsize,
    /// Tokens of a batch, at most, including padding; a longer row gets a batch of its own.
    pub tokens: NonZeroUsize,
    /// Lengths are rounded up to a multiple of this. Above 1, there are fewer different shapes,
    /// which helps engines that prepare for each shape, but more padding.
    pub multiple: NonZeroUsize,
}

impl Batching {
    setters! {
        window: NonZeroUsize,
        rows: NonZeroUsize,
        tokens: NonZeroUsize,
        multiple: NonZeroUsize,
    }
}

impl Default for Batching {
    fn default() -> Self {
        let number = |number| NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN);
        Self {
            window: number(256),
            rows: number(8),
            tokens: number(2048),
            multiple: NonZeroUsize::MIN,
        }
    }
}

impl Batching {
    /// Groups rows into batches, as indices into `rows`; the longest rows come first.
    ///
    /// The rows of a batch have the same number of sequences. If the graph fixes the batch size, a
    /// batch costs the same for any number of rows, so it gets as many as fit.
    pub(super) fn batches(&self, rows: &[&Row], fixed: FixedAxes) -> Vec<Vec<usize>> {
        let shape = |index: &usize| {
            let row = rows.get(*index);
            row.map_or((0, 0), |row| {
                (row.sequences.len(), self.length(row.len(), fixed))
            })
        };
        let has_room = |size: usize, sequences: usize, length: usize| match fixed.batch {
            Some(batch) => size < batch,
            None => size < self.rows.get() && (size + 1) * sequences * length <= self.tokens.get(),
        };
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|index| Reverse(shape(index)));
        let mut batches: Vec<Vec<usize>> = Vec::new();
        for index in order {
            let joins = |batch: &&mut Vec<usize>| {
                let (sequences, length) = batch.first().map_or((0, 0), shape);
                shape(&index).0 == sequences && has_room(batch.len(), sequences, length)
            };
            match batches.last_mut().filter(joins) {
                Some(batch) => batch.push(index),
                None => batches.push(vec![index]),
            }
        }
        batches
    }

    /// The padded length of a row.
    fn length(&self, tokens: usize, fixed: FixedAxes) -> usize {
        let length = tokens.next_multiple_of(self.multiple.get());
        fixed.sequence.unwrap_or(length)
    }

    /// The inputs of the graph for some rows: token ids and, if the graph takes them, attention
    /// mask and token types. Their shape is `[rows, sequence]`, or `[rows, choices, sequence]` with
    /// an axis of choices; they are padded on the right. If the mask has a row for each token, all
    /// these rows are equal.
    ///
    /// If the graph fixes the batch size or the number of choices, the last row or choice is
    /// repeated to fill it: other values could change the scales of a quantized graph.
    pub(super) fn tensors(
        &self,
        rows: &[&Row],
        signature: &Signature,
        axis_of_choices: bool,
        padding: u32,
        fixed: FixedAxes,
    ) -> Tensors {
        let most = |of: fn(&Row) -> usize| rows.iter().map(|row| of(row)).max().unwrap_or(0);
        let batch = fixed.batch.unwrap_or(rows.len());
        let choices = fixed.choices.unwrap_or(most(|row| row.sequences.len()));
        let length = self.length(most(Row::len), fixed);
        let shape = match axis_of_choices {
            true => vec![batch, choices, length],
            false => vec![batch, length],
        };
        let sequences: Vec<&Encoding> = filled(rows, batch)
            .flat_map(|row| filled(&row.sequences, choices))
            .collect();
        let array = |with: i64, values: &dyn Fn(&Encoding) -> Vec<i64>| {
            let mut array = ArrayD::from_elem(IxDyn(&shape), with);
            for (mut padded, sequence) in array.rows_mut().into_iter().zip(&sequences) {
                let slots = padded.iter_mut().zip(values(sequence));
                slots.for_each(|(slot, value)| *slot = value);
            }
            array
        };
        let wide = |ids: &[u32]| ids.iter().map(|id| i64::from(*id)).collect();
        let mask = || array(0, &|it| vec![1; it.len()]);
        let given = |port: &Port| match port.role {
            Role::TokenIds => Some(array(padding.into(), &|it| wide(&it.ids))),
            Role::AttentionMask => Some(mask()),
            Role::SelfAttentionMask => Some(row_for_each_token(mask())),
            Role::TokenTypes => Some(array(0, &|it| wide(&it.type_ids))),
            _ => None,
        };
        let ports = signature.inputs.iter();
        let tensors = ports.filter_map(|port| {
            let tensor = Tensor::of_integers(port.dtype, given(port)?)?;
            Some((port.name.clone(), tensor))
        });
        tensors.collect()
    }
}

/// Turns a mask `[…, tokens]` into `[…, tokens, tokens]`, in which every row is the mask.
fn row_for_each_token(mask: ArrayD<i64>) -> ArrayD<i64> {
    let shape = [mask.shape(), &mask.shape()[mask.ndim() - 1..]].concat();
    let rows = mask.insert_axis(Axis(shape.len() - 2));
    let spread = rows.broadcast(shape).map(|it| it.to_owned());
    spread.unwrap_or(rows)
}

/// `size` items: these items, and the last one repeated.
fn filled<T>(items: &[T], size: usize) -> impl Iterator<Item = &T> {
    items
        .iter()
        .chain(items.last().into_iter().cycle())
        .take(size)
}
