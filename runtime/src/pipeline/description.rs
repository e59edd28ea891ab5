//! What a model computes and for which labels: its metadata says so, or `config.json` and its
//! outputs do.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use nezha_graphs::{Config, Head, Port, Signature};

use super::{PipelineError, PipelineNote};
use crate::Session;

/// What a pipeline has to know of a model.
pub(super) struct Description {
    pub head: Head,
    pub config: Config,
    /// Where the metadata is missing.
    pub note: Option<PipelineNote>,
}

impl Description {
    /// Reads the metadata, or else `config.json` beside the model; where the outputs could be those
    /// of several heads, one of `wanted` is taken.
    pub fn of(path: &Path, session: &Session, wanted: &[Head]) -> Result<Self, PipelineError> {
        if let (Some(metadata), Some(config)) = (session.metadata(), session.config()) {
            return Ok(Self {
                head: metadata.head,
                config: config.clone(),
                note: None,
            });
        }
        let config = config_beside(path)?;
        let head = head(session.signature(), &config, wanted);
        let head = head.ok_or_else(|| PipelineError::Outputs {
            path: path.to_owned(),
            found: names(&session.signature().outputs),
        })?;
        let note = PipelineNote::NoMetadata {
            path: path.to_owned(),
            head,
        };
        Ok(Self {
            head,
            config,
            note: Some(note),
        })
    }
}

fn config_beside(model: &Path) -> Result<Config, PipelineError> {
    let path = model.with_file_name("config.json");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(PipelineError::NoMetadata {
                path: model.to_owned(),
            });
        }
        Err(error) => {
            let source = Arc::new(error);
            return Err(PipelineError::Read { path, source });
        }
    };
    Config::from_json(&text).map_err(|error| PipelineError::Config {
        path,
        source: Arc::new(error),
    })
}

/// The head that outputs of these names and shapes are of.
fn head(signature: &Signature, config: &Config, wanted: &[Head]) -> Option<Head> {
    let possible = possible_heads(signature, config);
    let named = config.heads();
    let among = |heads: &[Head]| possible.iter().find(|it| heads.contains(it)).copied();
    among(&named)
        .or_else(|| among(wanted))
        .or_else(|| possible.first().copied())
}

fn possible_heads(signature: &Signature, config: &Config) -> Vec<Head> {
    let output = |name: &str| signature.outputs.iter().find(|port| port.name == name);
    let choices = signature.inputs.iter().any(|port| port.shape.len() == 3);
    if output("start_logits").is_some() && output("end_logits").is_some() {
        vec![Head::QuestionAnswering]
    } else if output("prediction_logits").is_some() {
        vec![Head::Pretraining]
    } else if let Some(logits) = output("logits") {
        let classes = logits.shape.last().and_then(|dim| dim.as_fixed());
        let could_be = |size: usize| classes.is_none_or(|classes| classes == size);
        let labels = could_be(config.num_labels());
        let heads = match (choices, logits.shape.len()) {
            (true, _) => vec![(Head::MultipleChoice, true)],
            (false, 3) => vec![
                (Head::TokenClassification, labels),
                (Head::MaskedLm, could_be(config.vocab_size)),
            ],
            (false, 2) => vec![
                (Head::SequenceClassification, labels),
                (Head::NextSentence, could_be(2)),
            ],
            _ => Vec::new(),
        };
        let fitting = heads.into_iter().filter(|(_, fits)| *fits);
        fitting.map(|(head, _)| head).collect()
    } else if output("last_hidden_state").is_some() || output("embeddings").is_some() {
        vec![Head::Base]
    } else {
        Vec::new()
    }
}

fn names(ports: &[Port]) -> Vec<String> {
    ports.iter().map(|port| port.to_string()).collect()
}
