//! Rows become tensors: which go together, and how they are padded.

use std::cmp::Reverse;
use std::num::NonZeroUsize;

use ndarray::{ArrayD, IxDyn};

use crate::task::Row;
use crate::{Encoding, Tensors};

/// How inputs are put together for the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batching {
    /// Inputs that are read ahead and sorted by length, so that rows of one batch are about as long.
    pub window: NonZeroUsize,
    /// Rows of a batch at most.
    pub rows: NonZeroUsize,
    /// Tokens of a batch at most, padding included; a longer row goes alone.
    pub tokens: NonZeroUsize,
    /// Lengths are rounded up to a multiple of this. Above 1 there are fewer different shapes, for
    /// engines that prepare for each one, and more padding.
    pub multiple: NonZeroUsize,
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
    /// Groups rows for the engine, as numbers into `rows`; the longest first.
    ///
    /// Rows of a batch have the same number of sequences.
    pub(super) fn batches(&self, rows: &[&Row]) -> Vec<Vec<usize>> {
        let shape = |index: &usize| {
            let row = rows.get(*index);
            row.map_or((0, 0), |row| (row.sequences.len(), self.length(row.len())))
        };
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|index| Reverse(shape(index)));
        let mut batches: Vec<Vec<usize>> = Vec::new();
        for index in order {
            let joins = |batch: &&mut Vec<usize>| {
                let (sequences, length) = batch.first().map_or((0, 0), shape);
                shape(&index).0 == sequences
                    && batch.len() < self.rows.get()
                    && (batch.len() + 1) * sequences * length <= self.tokens.get()
            };
            match batches.last_mut().filter(joins) {
                Some(batch) => batch.push(index),
                None => batches.push(vec![index]),
            }
        }
        batches
    }

    /// The padded length of a row.
    fn length(&self, tokens: usize) -> usize {
        tokens.next_multiple_of(self.multiple.get())
    }

    /// `input_ids`, `attention_mask` and `token_type_ids` of some rows, int64 `[rows, sequence]`,
    /// or `[rows, choices, sequence]` with an axis of choices; padded on the right.
    pub(super) fn tensors(&self, rows: &[&Row], axis_of_choices: bool, padding: u32) -> Tensors {
        let choices = rows.first().map_or(0, |row| row.sequences.len());
        let longest = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let length = self.length(longest);
        let shape = match axis_of_choices {
            true => vec![rows.len(), choices, length],
            false => vec![rows.len(), length],
        };
        let tensor = |with: i64, values: &dyn Fn(&Encoding) -> Vec<i64>| {
            let mut array = ArrayD::from_elem(IxDyn(&shape), with);
            let sequences = rows.iter().flat_map(|row| &row.sequences);
            for (mut padded, sequence) in array.rows_mut().into_iter().zip(sequences) {
                let slots = padded.iter_mut().zip(values(sequence));
                slots.for_each(|(slot, value)| *slot = value);
            }
            array.into()
        };
        let wide = |ids: &[u32]| ids.iter().map(|id| i64::from(*id)).collect();
        Tensors::from([
            ("input_ids", tensor(padding.into(), &|it| wide(&it.ids))),
            ("attention_mask", tensor(0, &|it| vec![1; it.len()])),
            ("token_type_ids", tensor(0, &|it| wide(&it.type_ids))),
        ])
    }
}
