//! Engine choice `auto` in a folder that `nezha tune` has measured.

use std::path::{Component, Path, PathBuf};

use nezha_graphs::{Head, error_chain};

use super::{PipelineError, PipelineNote};
use crate::tuned::{FILE, Machine, Measured, Tuned};
use crate::{EngineOptions, Model, Session};

/// The result of following a folder's measurements; empty if there are none.
#[derive(Default)]
pub(super) struct Followed {
    /// The model that answers fastest, in its engine, if the measurements hold here.
    pub started: Option<(PathBuf, Session)>,
    /// What to tell the user about it.
    pub note: Option<PipelineNote>,
}

/// Starts the model that answered fastest.
pub(super) fn start(
    folder: &Path,
    answers: fn(Head) -> bool,
    options: &EngineOptions,
) -> Result<Followed, PipelineError> {
    let Some(tuned) = Tuned::read(folder)? else {
        return Ok(Followed::default());
    };
    let path = folder.join(FILE);
    match follow(folder, answers, &tuned, options) {
        Ok((model, session)) => {
            let note = PipelineNote::Tuned {
                path,
                model: model.clone(),
                way: fastest(&tuned, options).way,
            };
            Ok(Followed {
                started: Some((model, session)),
                note: Some(note),
            })
        }
        Err(reason) => Ok(Followed {
            started: None,
            note: Some(PipelineNote::NotTuned { path, reason }),
        }),
    }
}

/// The measurement for what the options ask for: throughput or latency.
fn fastest<'t>(tuned: &'t Tuned, options: &EngineOptions) -> &'t Measured {
    match options.throughput {
        true => &tuned.throughput,
        false => &tuned.latency,
    }
}

/// Starts the fastest model in its engine, or returns what doesn't match.
fn follow(
    folder: &Path,
    answers: fn(Head) -> bool,
    tuned: &Tuned,
    options: &EngineOptions,
) -> Result<(PathBuf, Session), String> {
    let fastest = fastest(tuned, options);
    let version = format!("nezha-onnx {}", env!("CARGO_PKG_VERSION"));
    if tuned.tuned_by != version {
        return Err(format!(
            "{} measured it and this is {version}",
            tuned.tuned_by
        ));
    }
    if tuned.machine != Machine::here() {
        return Err("it was measured on another machine".to_owned());
    }
    let defaults = EngineOptions::default();
    if options.threads.is_some() || options.openvino.precision != defaults.openvino.precision {
        return Err("threads or a precision were asked for".to_owned());
    }
    let refused = options.check(&[fastest.way.engine]);
    refused.map_err(|error| error.to_string())?;
    let model = Path::new(&fastest.model);
    if !model
        .components()
        .all(|it| matches!(it, Component::Normal(_)))
    {
        return Err(format!("{} is not in this folder", fastest.model));
    }
    let model = folder.join(&fastest.model);
    if model.metadata().map_or(0, |it| it.len()) != fastest.bytes {
        return Err(format!(
            "{} is not the file that was measured",
            fastest.model
        ));
    }
    let session = load(&model, fastest, options)?;
    let head = session.metadata().map(|it| it.head);
    if !head.is_some_and(answers) {
        return Err(format!("{} is for another task", fastest.model));
    }
    Ok((model, session))
}

/// Starts the engine, which must be the one that was measured.
fn load(model: &Path, fastest: &Measured, options: &EngineOptions) -> Result<Session, String> {
    let engine = fastest.way.engine.into();
    let model = Model::open(model).map_err(|error| error_chain(&error))?;
    let session = Session::start(&model, &engine, &fastest.options(options));
    let session = session.map_err(|error| error_chain(&error))?;
    let found = session.engine().description();
    match found == fastest.description {
        true => Ok(session),
        false => Err(format!(
            "it was measured with {} and this is {found}",
            fastest.description
        )),
    }
}
