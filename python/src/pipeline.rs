//! Pipelines: text in, answers out.

use std::path::PathBuf;

use nezha_runtime::{Average, Batching, Ensemble, PipelineError, task};
use pyo3::prelude::*;
use pyo3::types::PyList;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::engine::{EngineRequest, at_least_one, request};
use crate::failure::{Class, Failure};
use crate::fork::{Reopened, detached};
use crate::tasks::PythonTask;

/// How inputs are batched.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchingRequest {
    window: usize,
    rows: usize,
    tokens: usize,
    multiple: usize,
}

impl BatchingRequest {
    fn batching(self) -> Result<Batching, Failure> {
        Ok(Batching::default()
            .window(at_least_one("window", self.window)?)
            .rows(at_least_one("batch_size", self.rows)?)
            .tokens(at_least_one("batch_tokens", self.tokens)?)
            .multiple(at_least_one("pad_to_multiple_of", self.multiple)?))
    }
}

/// Models that answer together with the first one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnsembleRequest {
    models: Vec<PathBuf>,
    weights: Option<Vec<f64>>,
    average: AverageName,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AverageName {
    Logits,
    Probabilities,
}

impl EnsembleRequest {
    fn ensemble(self) -> Ensemble {
        let ensemble = Ensemble::of(self.models).average(match self.average {
            AverageName::Logits => Average::Logits,
            AverageName::Probabilities => Average::Probabilities,
        });
        match self.weights {
            Some(weights) => ensemble.weights(weights),
            None => ensemble,
        }
    }
}

/// A model that answers one kind of question.
#[pyclass(frozen, module = "nezha_onnx._nezha")]
pub(crate) struct Pipeline(Box<dyn Asking>);

#[pymethods]
impl Pipeline {
    #[new]
    fn new(
        py: Python<'_>,
        task: &str,
        path: PathBuf,
        engine: &Bound<'_, PyAny>,
        options: &Bound<'_, PyAny>,
        batching: &Bound<'_, PyAny>,
        ensemble: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let open = match task {
            "embedding" => open::<task::Embedding>,
            "feature-extraction" => open::<task::FeatureExtraction>,
            "fill-mask" => open::<task::FillMask>,
            "multiple-choice" => open::<task::MultipleChoice>,
            "next-sentence" => open::<task::NextSentence>,
            "pretraining" => open::<task::Pretraining>,
            "question-answering" => open::<task::QuestionAnswering>,
            "span-classification" => open::<task::SpanClassification>,
            "text-classification" => open::<task::TextClassification>,
            "token-classification" => open::<task::TokenClassification>,
            "word-classification" => open::<task::WordClassification>,
            other => {
                return Err(Failure::new(Class::Option, format!("no task '{other}'")).into());
            }
        };
        Ok(Self(open(py, path, engine, options, batching, ensemble)?))
    }

    /// Answers inputs, each in the form that its task takes; `options` replace those of the
    /// pipeline.
    ///
    /// Ctrl-C is checked after each window of inputs.
    fn run<'py>(
        &self,
        py: Python<'py>,
        inputs: &Bound<'py, PyList>,
        options: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        self.0.run(py, inputs, options)
    }

    /// The engine, with its version and device.
    #[getter]
    fn engine(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.0.describe(py)?.engine)
    }

    /// The names of the labels.
    #[getter]
    fn labels(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(self.0.describe(py)?.labels)
    }

    /// What the user should know about the model, though it works.
    #[getter]
    fn notes(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(self.0.describe(py)?.notes)
    }

    /// Frees the engine.
    fn close(&self, py: Python<'_>) {
        self.0.close(py);
    }
}

/// The properties of a pipeline.
struct Description {
    engine: String,
    labels: Vec<String>,
    notes: Vec<String>,
}

/// A pipeline for any task.
trait Asking: Send + Sync {
    fn run<'py>(
        &self,
        py: Python<'py>,
        inputs: &Bound<'py, PyList>,
        options: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>>;

    fn describe(&self, py: Python<'_>) -> PyResult<Description>;

    fn close(&self, py: Python<'_>);
}

type Opened<T> = Reopened<nezha_runtime::Pipeline<T>>;

fn open<T>(
    py: Python<'_>,
    path: PathBuf,
    engine: &Bound<'_, PyAny>,
    options: &Bound<'_, PyAny>,
    batching: &Bound<'_, PyAny>,
    ensemble: &Bound<'_, PyAny>,
) -> PyResult<Box<dyn Asking>>
where
    T: PythonTask + 'static,
    T::Options: DeserializeOwned + Send + Sync,
    T::Input: Send,
    T::Answer: Send,
{
    let (choice, engine) = request::<EngineRequest>(engine)?.resolved()?;
    let options: T::Options = request(options)?;
    let batching = request::<BatchingRequest>(batching)?.batching()?;
    let ensemble = request::<EnsembleRequest>(ensemble)?.ensemble();
    let open = move || {
        let builder = nezha_runtime::Pipeline::<T>::builder()
            .engine(&choice)
            .engine_options(engine.clone())
            .options(options.clone())
            .batching(batching.clone())
            .ensemble(ensemble.clone());
        Ok(builder.load(&path)?)
    };
    let opened: Opened<T> = Reopened::new(py, open)?;
    Ok(Box::new(opened))
}

impl<T> Asking for Opened<T>
where
    T: PythonTask + 'static,
    T::Options: DeserializeOwned + Send,
    T::Input: Send,
    T::Answer: Send,
{
    fn run<'py>(
        &self,
        py: Python<'py>,
        inputs: &Bound<'py, PyList>,
        options: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let pipeline = self.get(py)?;
        let inputs = inputs.iter().map(|it| T::input(&it));
        let inputs = inputs.collect::<PyResult<Vec<T::Input>>>()?;
        let count = inputs.len();
        let options: Option<T::Options> = options.map(request).transpose()?;
        let mut stream = pipeline.stream(inputs);
        if let Some(options) = options {
            stream = stream.with_options(options).map_err(Failure::from)?;
        }
        let answers = PyList::empty(py);
        while answers.len() < count {
            let window = detached(py, || {
                // Answers that were computed together are taken together, so that this ends with a
                // window.
                let first = stream.by_ref().next();
                let ready = stream.ready();
                let window = first.into_iter().chain(stream.by_ref().take(ready));
                Ok(window.collect::<Result<Vec<_>, PipelineError>>()?)
            });
            for answer in window? {
                answers.append(T::answer(py, answer)?)?;
            }
            py.check_signals()?;
        }
        Ok(answers)
    }

    fn describe(&self, py: Python<'_>) -> PyResult<Description> {
        let pipeline = self.get(py)?;
        Ok(Description {
            engine: pipeline.session().engine().description().to_owned(),
            labels: pipeline.config().labels.clone(),
            notes: pipeline.notes().iter().map(ToString::to_string).collect(),
        })
    }

    fn close(&self, py: Python<'_>) {
        Reopened::close(self, py);
    }
}
