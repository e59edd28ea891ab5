//! How a checkpoint is read: options of every subcommand that opens one.

use std::path::{Path, PathBuf};

use anyhow::Result;
use nezha_exporter::checkpoint::{Note, OpenOptions, read_labels};
use nezha_graphs::Activation;

/// What a checkpoint leaves open.
#[derive(clap::Args)]
#[command(next_help_heading = "Checkpoint")]
pub(crate) struct CheckpointOptions {
    /// The key of the state dict to read, if a file has several, such as ema.
    #[arg(long)]
    key: Option<String>,
    /// The prefix of the encoder to read, if a state dict has several.
    #[arg(long)]
    prefix: Option<String>,
    /// The config, if it is not config.json or `bert_config.json` beside the weights.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Names of the labels, instead of the config's: a file with one a line, or JSON (a list, or an object
    /// such as `id2label` or `label2id`).
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// The number of labels; by default the rows of the classifier.
    #[arg(long, value_name = "N", conflicts_with = "labels")]
    num_labels: Option<usize>,
    /// Replace the config's `max_relative_position`.
    #[arg(long, value_name = "N")]
    max_relative_position: Option<usize>,
    /// Replace the config's `hidden_act`, for example by `gelu_new`.
    #[arg(long, value_name = "NAME")]
    hidden_act: Option<Activation>,
    /// Treat the model as a decoder, as language models are, even if its config doesn't say `is_decoder`.
    #[arg(long)]
    decoder: bool,
    /// Read files into memory instead of mapping them, in case they are cut short meanwhile.
    #[arg(long)]
    no_mmap: bool,
}

impl CheckpointOptions {
    /// As the exporter takes them.
    pub(crate) fn open_options(&self) -> Result<OpenOptions> {
        let mut options = OpenOptions::default()
            .mmap(!self.no_mmap)
            .decoder(self.decoder);
        if let Some(key) = &self.key {
            options = options.key(key);
        }
        if let Some(prefix) = &self.prefix {
            options = options.prefix(prefix);
        }
        if let Some(file) = &self.config {
            options = options.config(file);
        }
        if let Some(file) = &self.labels {
            options = options.labels(read_labels(file)?);
        }
        if let Some(count) = self.num_labels {
            options = options.num_labels(count);
        }
        if let Some(distance) = self.max_relative_position {
            options = options.max_relative_position(distance);
        }
        if let Some(activation) = self.hidden_act {
            options = options.hidden_act(activation);
        }
        Ok(options)
    }
}

/// Where the checkpoint is: the path that is given, or, where nothing is there, the folder of the
/// model of that name on the hub.
#[cfg(feature = "hub")]
pub(crate) fn locate(given: &Path) -> Result<PathBuf> {
    crate::hub::checkpoint(given)
}

/// Where the checkpoint is: the path that is given.
#[cfg(not(feature = "hub"))]
pub(crate) fn locate(given: &Path) -> Result<PathBuf> {
    Ok(given.to_owned())
}

/// The option that answers a note.
pub(crate) fn hint(note: &Note) -> Option<&'static str> {
    match note {
        Note::UnnamedLabels { .. } => Some("--labels FILE names them"),
        Note::AssumedDefault { field, .. } => match *field {
            "hidden_act" => Some("--hidden-act NAME sets another"),
            "max_relative_position" => Some("--max-relative-position N sets another"),
            _ => None,
        },
        _ => None,
    }
}
