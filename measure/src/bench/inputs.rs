//! Batches of token ids with one size.

use std::path::Path;

use nezha_graphs::proto::{GraphProto, NodeProto};
use nezha_runtime::Model;
use nezha_verify::texts::{Batch, lines};

use super::{BenchError, Shape};

/// The most batches of real texts, so that every turn can run all of them.
const TEXT_BATCHES: usize = 16;
/// In vocabularies of BERT's family, ids from about here on are no special tokens.
const FIRST_ID: usize = 1000;

/// Batches of one size.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Case {
    /// Texts in a batch.
    pub batch: usize,
    /// Tokens of the longest text.
    pub sequence: usize,
    /// Whether these are real texts with their own lengths.
    pub is_text: bool,
    /// The token ids.
    pub batches: Vec<Batch>,
}

impl Case {
    /// One batch of random ids below `vocabulary`; the same arguments give the same ids.
    pub fn random(batch: usize, sequence: usize, vocabulary: usize) -> Self {
        let first = FIRST_ID.min(vocabulary / 2);
        let mut state = 1_u64;
        let mut id = || {
            // Knuth's MMIX generator; its high bits are random enough for token ids.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let choices = (vocabulary - first).max(1) as u64;
            (first as u64 + (state >> 33) % choices) as u32
        };
        let rows = (0..batch).map(|_| (0..sequence).map(|_| id()).collect());
        Self {
            batch,
            sequence,
            is_text: false,
            batches: vec![rows.collect()],
        }
    }

    /// Batches of the lines of a file, in their order, from the tokenizer in `folder`.
    ///
    /// # Errors
    /// [`BenchError::Texts`] if a file can't be read; [`BenchError::TooFewTexts`].
    pub fn text(
        file: impl AsRef<Path>,
        folder: impl AsRef<Path>,
        batch: usize,
    ) -> Result<Self, BenchError> {
        let file = file.as_ref();
        let rows = lines(file, folder, batch * TEXT_BATCHES)?;
        let batches: Vec<Batch> = rows.chunks_exact(batch).map(<[_]>::to_vec).collect();
        if batches.is_empty() {
            return Err(BenchError::TooFewTexts {
                path: file.to_owned(),
                lines: rows.len(),
                batch,
            });
        }
        Ok(Self {
            batch,
            sequence: rows.iter().map(Vec::len).max().unwrap_or(0),
            is_text: true,
            batches,
        })
    }

    /// Batches of texts. The first texts are repeated to fill the last batch; without texts there
    /// are no batches.
    pub fn of(texts: &[Vec<u32>], batch: usize) -> Self {
        let count = texts.len().div_ceil(batch).min(TEXT_BATCHES);
        let rows: Batch = texts.iter().cycle().take(count * batch).cloned().collect();
        Self {
            batch,
            sequence: rows.iter().map(Vec::len).max().unwrap_or(0),
            is_text: true,
            batches: rows.chunks_exact(batch).map(<[_]>::to_vec).collect(),
        }
    }

    pub(super) fn shape(&self) -> Shape {
        Shape {
            batch: self.batch,
            sequence: self.sequence,
            tokens: self.tokens(),
            is_text: self.is_text,
        }
    }

    /// The mean number of tokens in a batch, without padding.
    pub fn tokens(&self) -> f64 {
        let tokens: usize = self.batches.iter().flatten().map(Vec::len).sum();
        tokens as f64 / self.batches.len() as f64
    }
}

/// How many token ids a model knows: from its config, or without one the rows of the largest table
/// that it gathers from.
///
/// # Errors
/// [`BenchError::NoVocabulary`] if it has neither.
pub fn vocabulary(model: &Model) -> Result<usize, BenchError> {
    if let Some(config) = model.config() {
        return Ok(config.vocab_size);
    }
    let graph = model.proto().graph.iter();
    let rows = graph.flat_map(|graph| {
        let gathers = graph.node.iter().filter(|node| node.op_type == "Gather");
        let tables = gathers.filter_map(|node| node.input.first());
        tables.filter_map(|table| rows(graph, table))
    });
    let rows = rows.max().and_then(|rows| usize::try_from(rows).ok());
    rows.filter(|rows| *rows > 0)
        .ok_or_else(|| BenchError::NoVocabulary {
            path: model.path().to_owned(),
        })
}

/// The most nodes between the numbers of a quantized table and its Gather.
const STEPS: usize = 8;

/// The rows of the table `name`, which is an initializer or computed from one: tools that quantize
/// put `DequantizeLinear`, Cast or Mul behind it.
fn rows(graph: &GraphProto, name: &str) -> Option<i64> {
    let mut name = name;
    for _ in 0..STEPS {
        if let Some(table) = graph.initializer.iter().find(|it| it.name == *name) {
            return (table.dims.len() == 2).then(|| table.dims[0]);
        }
        let made = |it: &&NodeProto| it.output.iter().any(|output| output == name);
        name = graph.node.iter().find(made)?.input.first()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use nezha_graphs::proto::{GraphProto, NodeProto, TensorProto};

    use super::rows;

    fn node(op: &str, input: &str, output: &str) -> NodeProto {
        NodeProto {
            op_type: op.to_owned(),
            input: vec![input.to_owned()],
            output: vec![output.to_owned()],
            ..NodeProto::default()
        }
    }

    #[test]
    fn a_table_is_found_behind_what_a_quantizer_writes() {
        let graph = GraphProto {
            initializer: vec![TensorProto {
                name: "table".to_owned(),
                dims: vec![47, 16],
                ..TensorProto::default()
            }],
            node: vec![
                node("DequantizeLinear", "table", "numbers"),
                node("Cast", "numbers", "floats"),
                node("Relu", "input", "computed"),
            ],
            ..GraphProto::default()
        };
        assert_eq!(rows(&graph, "table"), Some(47));
        assert_eq!(rows(&graph, "floats"), Some(47));
        assert_eq!(rows(&graph, "computed"), None);
    }
}
