//! The C interface of nezha-onnx, with which Go, Swift, Kotlin and C++ programs embed a model.
//!
//! `include/nezha.h` is the interface, [`border`] declares it, and this file implements it.
#![deny(missing_docs)]

pub mod border;

use std::num::NonZeroUsize;

use nezha_graphs::{Artifact, error_chain};
use nezha_runtime::task::{
    Aggregation, EmbeddingOptions, Pooling, Task, TextClassificationOptions,
    TokenClassificationOptions,
};
use nezha_runtime::{
    Embedding, Pipeline, PipelineBuilder, QuestionAnswering, TextClassification,
    TokenClassification,
};

/// A model, with the task that it was loaded for.
enum Model {
    Classification(TextClassification),
    Tokens(TokenClassification),
    Answers(QuestionAnswering),
    Embedding(Embedding),
}

/// The task that a model is loaded for.
#[derive(Clone, Copy)]
enum Question {
    Classify,
    Tokens,
    Answer,
    Embed,
}

/// Where a model is.
enum Place<'p> {
    Path(&'p str),
    /// A packed model.
    Bytes(&'static [u8]),
}

/// A label, an entity or an answer.
struct Finding {
    label: String,
    text: String,
    score: f64,
    start: usize,
    end: usize,
}

impl Model {
    /// Loads a model in the engines of a list, with `threads` threads; 0 for the engine's default.
    fn load(
        place: &Place<'_>,
        question: Question,
        engines: Option<&str>,
        threads: usize,
    ) -> Result<Self, String> {
        fn load<T: Task>(
            builder: PipelineBuilder<T>,
            place: &Place<'_>,
            engines: Option<&str>,
            threads: usize,
        ) -> Result<Pipeline<T>, String> {
            let builder = builder.engine(engines.unwrap_or("auto"));
            let builder = match NonZeroUsize::new(threads) {
                Some(threads) => builder.threads(threads.get()),
                None => builder,
            };
            match place {
                Place::Path(path) => builder.load(path).map_err(|error| error_chain(&error)),
                Place::Bytes(bytes) => {
                    let artifact = Artifact::from_packed(*bytes);
                    let artifact = artifact.map_err(|error| error_chain(&error))?;
                    let loaded = builder.load_artifact(&artifact);
                    loaded.map_err(|error| error_chain(&error))
                }
            }
        }
        Ok(match question {
            Question::Classify => {
                // All labels, the most probable first.
                let options = TextClassificationOptions::default().top_k(None);
                let builder = TextClassification::builder().options(options);
                Self::Classification(load(builder, place, engines, threads)?)
            }
            Question::Tokens => {
                let options = TokenClassificationOptions::default();
                let options = options.aggregation(Aggregation::Simple);
                let builder = TokenClassification::builder().options(options);
                Self::Tokens(load(builder, place, engines, threads)?)
            }
            Question::Answer => {
                let builder = QuestionAnswering::builder();
                Self::Answers(load(builder, place, engines, threads)?)
            }
            Question::Embed => {
                let options = EmbeddingOptions::default().pooling(Pooling::Mean);
                let builder = Embedding::builder().options(options.normalize(true));
                Self::Embedding(load(builder, place, engines, threads)?)
            }
        })
    }

    /// The labels of a text, the most probable first.
    fn classify(&self, text: &str) -> Result<Vec<Finding>, String> {
        let Self::Classification(pipeline) = self else {
            return Err(other_question("to classify"));
        };
        let labels = first(pipeline.run([text]))?.into_iter();
        let finding = |it: nezha_runtime::task::ScoredLabel| Finding {
            label: it.label,
            text: String::new(),
            score: it.score.into(),
            start: 0,
            end: 0,
        };
        Ok(labels.map(finding).collect())
    }

    /// The entities of a text, in its order.
    fn tokens(&self, text: &str) -> Result<Vec<Finding>, String> {
        let Self::Tokens(pipeline) = self else {
            return Err(other_question("for tokens"));
        };
        let entities = first(pipeline.run([text]))?.into_iter();
        let finding = |it: nezha_runtime::task::Entity| Finding {
            label: it.label,
            text: it.word,
            score: it.score.into(),
            start: it.start,
            end: it.end,
        };
        Ok(entities.map(finding).collect())
    }

    /// The spans of a context that answer a question, the most probable first.
    fn answer(&self, question: &str, context: &str) -> Result<Vec<Finding>, String> {
        let Self::Answers(pipeline) = self else {
            return Err(other_question("to answer"));
        };
        let answers = first(pipeline.run([(question, context)]))?.into_iter();
        let finding = |it: nezha_runtime::task::Answer| Finding {
            label: String::new(),
            text: it.answer,
            score: it.score.into(),
            start: it.start,
            end: it.end,
        };
        Ok(answers.map(finding).collect())
    }

    /// The vector of a text: the mean over its tokens, scaled to length 1.
    fn embed(&self, text: &str) -> Result<Vec<f32>, String> {
        let Self::Embedding(pipeline) = self else {
            return Err(other_question("to embed"));
        };
        Ok(first(pipeline.run([text]))?.to_vec())
    }
}

/// The answer to the only input.
fn first<A>(answers: Result<Vec<A>, nezha_runtime::PipelineError>) -> Result<A, String> {
    let answers = answers.map_err(|error| error_chain(&error))?;
    let first = answers.into_iter().next();
    first.ok_or_else(|| "there is no answer".to_owned())
}

fn other_question(question: &str) -> String {
    format!("the model was not loaded {question}")
}
