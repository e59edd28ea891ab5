//! `nezha feature-extraction`: vectors for a text.

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use nezha_graphs::{Artifact, Head, Port, Role};
use nezha_runtime::Model;
use nezha_runtime::task::{
    self, Embedding, EmbeddingOptions, FeatureExtraction, FeatureExtractionOptions,
};
use serde_json::{Value, json};

use super::input::Arguments;
use super::text_classification::one_or_two_texts;
use super::{Manner, TaskArgs, answer};

/// Numbers of a vector that the table shows.
const SHOWN: usize = 4;

/// Turn texts into vectors: one for each token, or one for the text.
///
/// JSON fields: text, `text_pair` (optional).
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    task: TaskArgs,
    /// How token vectors become one; by default as the artifact was exported.
    #[arg(long)]
    pooling: Option<Pooling>,
    /// Scale the vector to length 1.
    #[arg(long, requires = "pooling")]
    normalize: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Pooling {
    /// A vector for each token.
    None,
    /// The vector of the first token.
    Cls,
    /// The mean of all.
    Mean,
    /// The largest of all, feature by feature.
    Max,
}

/// Computes and prints.
pub(super) fn run(args: Args) -> Result<()> {
    let pooling = match args.pooling {
        // The graph pools as it was exported, whatever it is asked for.
        None if is_pooled(&args.task.model) => task::Pooling::default(),
        None | Some(Pooling::None) => return token_vectors(&args),
        Some(Pooling::Cls) => task::Pooling::Cls,
        Some(Pooling::Mean) => task::Pooling::Mean,
        Some(Pooling::Max) => task::Pooling::Max,
    };
    let options = EmbeddingOptions::default()
        .pooling(pooling)
        .normalize(args.normalize)
        .max_length(args.task.max_length);
    let manner = Manner::<Embedding> {
        arguments: Arguments::Each,
        question: &one_or_two_texts,
        columns: &["size", "vector"],
        rows: |vector| vec![vec![vector.len().to_string(), beginning(vector.iter())]],
        json: |vector| json!(vector.to_vec()),
    };
    answer(&args.task, options, &manner)
}

/// Whether the graph gives one vector for each text. A model that can't be opened is an error of the pipeline,
/// which is made next.
fn is_pooled(model: &Path) -> bool {
    let file = match model.is_dir() {
        true => Artifact::in_folder(model)
            .model_for(&[Head::Base])
            .map(|it| model.join(it)),
        false => Ok(model.to_owned()),
    };
    let opened = file.ok().and_then(|it| Model::open(it).ok());
    let is_embeddings = |port: &Port| port.role == Role::Embeddings;
    opened.is_some_and(|it| it.signature().outputs.iter().any(is_embeddings))
}

fn token_vectors(args: &Args) -> Result<()> {
    let options = FeatureExtractionOptions::default().max_length(args.task.max_length);
    let manner = Manner::<FeatureExtraction> {
        arguments: Arguments::Each,
        question: &one_or_two_texts,
        columns: &["token", "size", "vector"],
        rows: |vectors| {
            let size = vectors.ncols().to_string();
            let rows = vectors.rows().into_iter().enumerate();
            let row =
                rows.map(|(at, row)| vec![at.to_string(), size.clone(), beginning(row.iter())]);
            row.collect()
        },
        json: |vectors| {
            let rows = vectors.rows().into_iter();
            rows.map(|row| json!(row.to_vec())).collect::<Value>()
        },
    };
    answer(&args.task, options, &manner)
}

fn beginning<'a>(vector: impl Iterator<Item = &'a f32>) -> String {
    let numbers = vector.take(SHOWN).map(|number| format!("{number:.4}"));
    numbers
        .chain(["…".to_owned()])
        .collect::<Vec<_>>()
        .join(" ")
}
