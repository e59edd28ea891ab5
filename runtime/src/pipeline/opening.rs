//! Opens a [`Pipeline`] from a path or an artifact: finds the model, starts the engine, reads the
//! tokenizer.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use nezha_graphs::{Artifact, Head, is_packed};

use super::description::Description;
use super::ensemble::{Candidate, Members};
use super::{Pipeline, PipelineBuilder, PipelineError, PipelineNote, tuned};
use crate::task::{FixedAxes, Task, TaskModel};
use crate::{EngineChoice, EngineOptions, Model, ModelError, Session, SessionError, Tokenizer};

impl<T: Task> Pipeline<T> {
    /// Opens the model at `path`, and starts it as the builder says.
    pub(super) fn open(path: &Path, builder: PipelineBuilder<T>) -> Result<Self, PipelineError> {
        if is_packed(path) {
            let artifact = Artifact::open(path).map_err(model_error)?;
            return Self::open_artifact(&artifact, builder);
        }
        let (choice, engine_options) = builder.resolved()?;
        let follow = choice == EngineChoice::Auto && path.is_dir();
        let tuned = follow.then(|| tuned::start(path, T::answers, &engine_options));
        let tuned::Followed { started, note } = tuned.transpose()?.unwrap_or_default();
        let (path, session) = match started {
            Some(started) => started,
            None => {
                let path = model_path(path, T::HEADS)?;
                let model = Model::open(&path).map_err(model_error)?;
                let session = Session::start(&model, &choice, &engine_options)?;
                (path, session)
            }
        };
        let artifact = Artifact::in_folder(path.parent().unwrap_or(Path::new("")));
        let pipeline = Self::new(&artifact, &path, session, builder)?;
        Ok(Self {
            notes: note.into_iter().chain(pipeline.notes).collect(),
            ..pipeline
        })
    }

    /// Opens the model of an artifact.
    pub(super) fn open_artifact(
        artifact: &Artifact,
        builder: PipelineBuilder<T>,
    ) -> Result<Self, PipelineError> {
        if !artifact.is_in_memory() {
            return Self::open(artifact.origin(), builder);
        }
        let (choice, engine_options) = builder.resolved()?;
        let model = part(artifact, T::HEADS)?;
        let session = Session::start(&model, &choice, &engine_options)?;
        Self::new(artifact, model.path(), session, builder)
    }

    /// Joins a started model, the tokenizer and the config beside it, and the other models of the
    /// ensemble.
    fn new(
        artifact: &Artifact,
        path: &Path,
        session: Session,
        builder: PipelineBuilder<T>,
    ) -> Result<Self, PipelineError> {
        let tokenizer = Tokenizer::from_artifact(artifact)?;
        let tokenizer = tokenizer.with_text_limit(builder.limits.text_bytes);
        let description = Description::of(path, artifact, &session, T::HEADS)?;
        if !T::answers(description.head) {
            return Err(PipelineError::Head {
                task: T::NAME,
                expected: T::HEADS,
                found: description.head,
                path: path.to_owned(),
            });
        }
        let first = Candidate {
            path,
            session: &session,
            tokenizer: &tokenizer,
            description: &description,
        };
        let (choice, engine_options) = builder.resolved()?;
        let other = |path: &PathBuf| Self::member(path, &choice, &engine_options, &first);
        let others = builder.ensemble.models().iter().map(other);
        let others = others.collect::<Result<Vec<Session>, PipelineError>>()?;
        let threads = match engine_options.threads {
            Some(of_run) => of_run.saturating_mul(session.engine().runs_at_once()),
            None => thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        };
        let members = Members::new(session, others, &builder.ensemble, &description)?;
        let Description { head, config, note } = description;
        let beyond = PipelineNote::tokens_beyond_table(&tokenizer, config.vocab_size);
        let model = Arc::new(TaskModel {
            fixed: FixedAxes::of(members.first().signature()),
            tokenizer,
            config,
            head,
        });
        Ok(Self {
            task: T::new(model.clone(), builder.options)?,
            model,
            members,
            batching: builder.batching,
            limits: builder.limits,
            threads,
            notes: note.into_iter().chain(beyond).collect(),
        })
    }

    /// Opens a model of the ensemble, and checks that its outputs can be averaged with those of the
    /// first one.
    fn member(
        path: &Path,
        choice: &EngineChoice,
        options: &EngineOptions,
        first: &Candidate<'_>,
    ) -> Result<Session, PipelineError> {
        let packed = is_packed(path).then(|| Artifact::open(path)).transpose();
        let (artifact, model) = match packed.map_err(model_error)? {
            Some(artifact) => {
                let model = part(&artifact, T::HEADS)?;
                (artifact, model)
            }
            None => {
                let path = model_path(path, T::HEADS)?;
                let folder = path.parent().unwrap_or(Path::new(""));
                let artifact = Artifact::in_folder(folder);
                (artifact, Model::open(&path).map_err(model_error)?)
            }
        };
        let session = Session::start(&model, choice, options)?;
        let candidate = Candidate {
            tokenizer: &Tokenizer::from_artifact(&artifact)?,
            description: &Description::of(model.path(), &artifact, &session, T::HEADS)?,
            path: model.path(),
            session: &session,
        };
        candidate.check(first)?;
        Ok(session)
    }
}

/// The model file that a pipeline for one of these heads opens: `path` itself, or the file in the
/// folder `path`.
///
/// # Errors
/// [`PipelineError::NoModel`] if the folder has none.
pub fn model_path(path: &Path, heads: &[Head]) -> Result<PathBuf, PipelineError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let found = Artifact::in_folder(path).model_for(heads);
    let found = found.map_err(|tried| PipelineError::NoModel {
        folder: path.to_owned(),
        tried,
    })?;
    Ok(path.join(found))
}

/// The graph for one of these heads in an artifact in memory.
///
/// # Errors
/// [`PipelineError::NoModel`], [`PipelineError::Session`].
pub(crate) fn part(artifact: &Artifact, heads: &[Head]) -> Result<Model, PipelineError> {
    let part = artifact.model_for(heads);
    let part = part.map_err(|tried| PipelineError::NoModel {
        folder: artifact.origin().to_owned(),
        tried,
    })?;
    Model::part_of(artifact, &part).map_err(model_error)
}

/// Turns the error of a model into that of a pipeline.
pub(crate) fn model_error(error: impl Into<ModelError>) -> PipelineError {
    SessionError::from(error.into()).into()
}
