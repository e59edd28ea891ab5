//! Runs NEZHA's ONNX graphs in ONNX Runtime, in OpenVINO and in tract.
//!
//! ```no_run
//! use ndarray::array;
//! use nezha_runtime::{Session, Tensors};
//!
//! let session = Session::load("model.onnx")?;
//! println!("{}", session.engine().description());
//! let inputs = Tensors::from([("input_ids", array![[101_i64, 6421, 102]].into())]);
//! let outputs = session.run(inputs)?;
//! println!("{:?}", outputs.array::<f32>("logits")?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In reading order:
//!
//! - [`Tensor`] and [`Tensors`]: inputs and outputs; [`tensors_file`] reads and writes them;
//! - [`Model`]: a graph and its signature, without an engine; [`Artifact`]: a model with its files,
//!   in a folder, in one packed file or in memory;
//! - [`EngineChoice`], [`EngineOptions`], [`Engine`]: what computes. A named engine that can't
//!   start is an error; only a list or `auto` goes on to the next engine, and the session names
//!   those that it skipped;
//! - [`Session`]: a model in an engine, which checks every input before it runs;
//! - [`library`]: where ONNX Runtime and OpenVINO are found; they are loaded at run time, never
//!   linked;
//! - `setup`: installs a pinned ONNX Runtime or OpenVINO;
//! - [`tuned`]: what `nezha tune` measured; `auto` follows it;
//! - [`doctor`]: which engines run here, what is missing, and how to get it.
//!
//! # Features
//!
//! Every combination of them compiles:
//!
//! - `ort`, `openvino`, `tract`: the engines. tract is pure Rust and needs no library, ONNX Runtime
//!   supports the most accelerators, and OpenVINO is the fastest on processors that multiply in
//!   bfloat16 or 8 bits. Without any of them, only an engine of your own computes:
//!   [`Session::with_engine`];
//! - `setup`: finds and installs the libraries of ONNX Runtime and OpenVINO; `ort` and `openvino`
//!   enable it;
//! - `pipelines`: tokenizer, tasks and pipelines;
//! - `decoder`: [`Decoder`], which generates token ids; together with `pipelines` also
//!   [`TextGeneration`].
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs)]
#![cfg_attr(
    not(any(feature = "openvino", feature = "ort", feature = "tract")),
    allow(
        dead_code,
        unused_imports,
        unused_variables,
        reason = "what engines share is of no use without any"
    )
)]

#[macro_use]
mod builder;
mod cpu;
#[cfg(feature = "decoder")]
pub mod decoder;
pub mod doctor;
mod engine;
pub mod library;
mod model;
mod native;
#[cfg(feature = "openvino")]
pub mod openvino_library;
#[cfg(feature = "ort")]
pub mod ort_library;
#[cfg(feature = "pipelines")]
pub mod pipeline;
mod range;
mod session;
#[cfg(feature = "setup")]
pub mod setup;
#[cfg(feature = "pipelines")]
pub mod task;
mod tensor;
pub mod tensors_file;
#[cfg(feature = "pipelines")]
mod tokenizer;
pub mod tuned;

pub use builder::SessionBuilder;
#[cfg(feature = "decoder")]
pub use decoder::{
    Decoder, DecoderError, Finish, Generated, GenerationOptions, Prompt, Sampling, Strategy,
};
#[cfg(all(feature = "decoder", feature = "pipelines"))]
pub use decoder::{GeneratedText, TextGeneration, TextGenerationBuilder};
pub use engine::{
    AxisRange, Capabilities, Engine, EngineChoice, EngineError, EngineKind, EngineOptions,
    EngineSpec, Family, KeepOutputs, NodeProfile, OpenVinoHint, OpenVinoOptions, OpenVinoPrecision,
    Optimization, OrtOptions, Profile, Resident, Residents, Skipped, TensorRtOptions, Tolerances,
    TractOptions, UnknownEngine, UnknownOpenVinoPrecision, UnknownWay, Way,
};
pub use model::{Model, ModelError};
#[doc(inline)]
pub use nezha_graphs::{Artifact, ArtifactError, PartError};
#[cfg(feature = "ort")]
pub use ort_library::{OrtLibrary, OrtLibraryError};
#[cfg(feature = "pipelines")]
pub use pipeline::{
    Answers, Average, Batching, Embedding, Ensemble, FeatureExtraction, FillMask, Limits,
    MultipleChoice, NextSentence, Pipeline, PipelineBuilder, PipelineError, PipelineNote,
    Pretraining, QuestionAnswering, SpanClassification, TextClassification, TokenClassification,
    WordClassification,
};
pub use session::{Session, SessionError};
pub use tensor::{Element, Tensor, TensorError, Tensors};
pub use tensors_file::TensorsFileError;
#[cfg(feature = "pipelines")]
pub use tokenizer::{Encoding, Tokenizer, TokenizerError, VocabularyFile};
