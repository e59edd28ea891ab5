//! Compares a config with the shapes of the weights: the rows of embeddings replace the config's
//! sizes, and sizes that the config lacks are read from the weights.

use std::collections::BTreeMap;

use nezha_graphs::Config;
use serde_json::{Map, Value};

use super::Note;
use super::weights::Weight;

const WORDS: &str = "nezha.embeddings.word_embeddings.weight";
const TOKEN_TYPES: &str = "nezha.embeddings.token_type_embeddings.weight";
const INTERMEDIATE: &str = "nezha.encoder.layer.0.intermediate.dense.weight";
const LAYERS: &str = "nezha.encoder.layer.";
const CLASSIFIER: &str = "classifier.weight";

/// The shapes of a checkpoint's weights, by canonical name.
pub(super) struct Shapes<'w>(BTreeMap<&'w str, &'w [usize]>);

impl<'w> Shapes<'w> {
    pub(super) fn new(weights: &'w [Weight]) -> Self {
        let shape = |weight: &'w Weight| (weight.info.name.as_str(), weight.info.shape.as_slice());
        Self(weights.iter().map(shape).collect())
    }

    /// The rows and columns of a matrix.
    fn matrix(&self, name: &str) -> Option<[usize; 2]> {
        self.0.get(name).and_then(|shape| (*shape).try_into().ok())
    }

    /// The rows of the classifier, one for each label.
    pub(super) fn classifier_rows(&self) -> Option<usize> {
        self.matrix(CLASSIFIER).map(|[rows, _]| rows)
    }

    /// The highest layer number plus one.
    fn layers(&self) -> Option<usize> {
        let names = self.0.range(LAYERS..).map(|(name, _)| *name);
        names
            .map_while(|name| name.strip_prefix(LAYERS))
            .filter_map(|rest| rest.split('.').next()?.parse::<usize>().ok())
            .max()
            .map(|last| last.saturating_add(1))
    }
}

/// Changes the sizes in `fields` to those of the weights, and adds notes.
///
/// Values that are not numbers are left for [`Config`] to refuse.
pub(super) fn fit(fields: &mut Map<String, Value>, shapes: &Shapes, notes: &mut Vec<Note>) {
    for (field, name) in [("vocab_size", WORDS), ("type_vocab_size", TOKEN_TYPES)] {
        let Some([rows, _]) = shapes.matrix(name) else {
            continue;
        };
        let config = match fields.get(field) {
            None => None,
            Some(found) => match found.as_u64() {
                Some(found) if found != rows as u64 => Some(found),
                _ => continue,
            },
        };
        let evidence = format!("'{name}' has {rows} rows");
        set(fields, field, config, rows, evidence, notes);
    }
    for (field, evidence) in [
        (
            "hidden_size",
            shapes
                .matrix(WORDS)
                .map(|[_, columns]| (columns, format!("'{WORDS}' has {columns} columns"))),
        ),
        (
            "intermediate_size",
            shapes
                .matrix(INTERMEDIATE)
                .map(|[rows, _]| (rows, format!("'{INTERMEDIATE}' has {rows} rows"))),
        ),
        (
            "num_hidden_layers",
            shapes
                .layers()
                .map(|layers| (layers, format!("the weights are of {layers} layers"))),
        ),
    ] {
        if let Some((size, evidence)) = evidence
            && !fields.contains_key(field)
        {
            set(fields, field, None, size, evidence, notes);
        }
    }
}

fn set(
    fields: &mut Map<String, Value>,
    field: &'static str,
    config: Option<u64>,
    weights: usize,
    evidence: String,
    notes: &mut Vec<Note>,
) {
    fields.insert(field.to_owned(), Value::from(weights));
    notes.push(Note::SizeFromWeights {
        field,
        config,
        weights,
        evidence,
    });
}

/// Notes for fields that the config lacks, on which the model's results depend, and whose values no
/// tensor shows.
pub(super) fn assumed(fields: &Map<String, Value>, config: &Config) -> Vec<Note> {
    let values = [
        ("hidden_act", config.hidden_act.to_string()),
        (
            "num_attention_heads",
            config.num_attention_heads.to_string(),
        ),
        (
            "max_relative_position",
            config.max_relative_position.to_string(),
        ),
    ];
    let absent = values
        .into_iter()
        .filter(|(field, _)| !fields.contains_key(*field));
    absent
        .map(|(field, value)| Note::AssumedDefault { field, value })
        .collect()
}
