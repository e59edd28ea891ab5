//! What a model computes, and for which labels: from its metadata, or from `config.json` and its
//! outputs.

use std::path::Path;
use std::sync::Arc;

use nezha_graphs::{
    Artifact, Config, GraphOption, GraphOptions, Head, Pooling, Port, Role, Signature,
};

use super::{PipelineError, PipelineNote};
use crate::Session;

/// What a pipeline must know about a model.
pub(super) struct Description {
    pub head: Head,
    pub config: Config,
    /// Says that the metadata is missing, if it is.
    pub note: Option<PipelineNote>,
}

impl Description {
    /// Reads the metadata, or else `config.json` beside the model. If the outputs fit several
    /// heads, one of `wanted` is preferred.
    pub(super) fn of(
        path: &Path,
        artifact: &Artifact,
        session: &Session,
        wanted: &[Head],
    ) -> Result<Self, PipelineError> {
        if let (Some(metadata), Some(config)) = (session.metadata(), session.config()) {
            return Ok(Self {
                head: metadata.head,
                config: config.clone(),
                note: None,
            });
        }
        let config = config_beside(path, artifact)?;
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

fn config_beside(model: &Path, artifact: &Artifact) -> Result<Config, PipelineError> {
    const CONFIG: &str = "config.json";
    let path = artifact.path_of(CONFIG);
    let text = match artifact.text(CONFIG) {
        Ok(Some(text)) => text,
        Ok(None) => {
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

/// The head whose outputs have these names and shapes.
fn head(signature: &Signature, config: &Config, wanted: &[Head]) -> Option<Head> {
    let possible = possible_heads(signature, config);
    let named = config.heads();
    let among = |heads: &[Head]| possible.iter().find(|it| heads.contains(it)).copied();
    among(&named)
        .or_else(|| among(wanted))
        .or_else(|| possible.first().copied())
}

fn possible_heads(signature: &Signature, config: &Config) -> Vec<Head> {
    let is_possible = |head: &Head| {
        let mut forms = forms(*head).into_iter();
        forms.any(|options| could_be(&Signature::new(config, *head, &options), signature))
    };
    Head::ALL.into_iter().filter(is_possible).collect()
}

/// The options under which a head has other outputs or scores other tokens.
fn forms(head: Head) -> Vec<GraphOptions> {
    let forms = [
        GraphOptions::default(),
        GraphOptions::default().pooler(false),
        GraphOptions::default().pooling(head.takes(GraphOption::Pooling).then_some(Pooling::Mean)),
        GraphOptions::default().mask_positions(head.takes(GraphOption::MaskPositions)),
    ];
    forms.into()
}

/// Whether a graph has all of these outputs, and its inputs fit these in shape.
fn could_be(expected: &Signature, found: &Signature) -> bool {
    let fits = |expected: &Port, found: &Port| {
        let sizes = expected.shape.iter().zip(&found.shape);
        let mut fixed = sizes.filter_map(|(a, b)| a.as_fixed().zip(b.as_fixed()));
        expected.shape.len() == found.shape.len() && fixed.all(|(a, b)| a == b)
    };
    let mut inputs = expected.inputs.iter();
    let mut outputs = expected.outputs.iter();
    let takes = |port: &Port| match found.input_of(port.role) {
        Some(it) => fits(port, it),
        // A graph may have no token types, but it must have the inputs that decide the shape of its
        // outputs.
        None => port.role != Role::MaskPositions,
    };
    inputs.all(takes)
        && outputs.all(|port| found.output_of(port.role).is_some_and(|it| fits(port, it)))
}

fn names(ports: &[Port]) -> Vec<String> {
    ports.iter().map(std::string::ToString::to_string).collect()
}
