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
//! - [`Tensor`] and [`Tensors`]: what goes in and comes out; [`tensors_file`] keeps them;
//! - [`Model`]: an `.onnx` file and its signature, without an engine;
//! - [`EngineChoice`], [`EngineOptions`], [`Engine`]: what computes. A named engine that can't
//!   start is an error; only a list or `auto` goes on to the next, and says so;
//! - [`Session`]: a model in an engine, every input checked before it runs;
//! - [`library`]: where ONNX Runtime and OpenVINO are found, for they are loaded and never linked;
//! - `setup`: a pinned ONNX Runtime or OpenVINO for who has none;
//! - [`doctor`]: what of all this is here, what is missing, and what to do about it.
//!
//! The features `ort`, `openvino` and `tract` bring the engines; each works alone. tract is pure Rust and
//! always there, ONNX Runtime has the most accelerators, OpenVINO is the fastest on processors that
//! multiply in bfloat16 or 8 bits. `setup` comes with the first two.
#![deny(missing_docs)]

#[cfg(not(any(feature = "openvino", feature = "ort", feature = "tract")))]
compile_error!(
    "nezha-runtime needs an engine: enable the feature 'openvino', 'ort', 'tract' or several"
);

mod builder;
mod cpu;
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
pub mod pipeline;
mod range;
mod session;
#[cfg(feature = "setup")]
pub mod setup;
pub mod task;
mod tensor;
pub mod tensors_file;
mod tokenizer;

pub use builder::SessionBuilder;
pub use decoder::{
    Decoder, DecoderError, Finish, Generated, GeneratedText, GenerationOptions, Sampling, Strategy,
    TextGeneration, TextGenerationBuilder,
};
pub use engine::{
    AxisRange, Capabilities, Engine, EngineChoice, EngineError, EngineKind, EngineOptions,
    EngineSpec, Family, KeepOutputs, NodeProfile, OpenVinoHint, OpenVinoOptions, OpenVinoPrecision,
    Optimization, OrtOptions, Profile, Resident, Residents, Skipped, TensorRtOptions, Tolerances,
    TractOptions, UnknownEngine, UnknownOpenVinoPrecision,
};
pub use model::{Model, ModelError};
#[cfg(feature = "ort")]
pub use ort_library::{OrtLibrary, OrtLibraryError};
pub use pipeline::{
    Answers, Batching, Embedding, FeatureExtraction, FillMask, MultipleChoice, NextSentence,
    Pipeline, PipelineBuilder, PipelineError, PipelineNote, Pretraining, QuestionAnswering,
    TextClassification, TokenClassification,
};
pub use session::{Session, SessionError};
pub use tensor::{Element, Tensor, TensorError, Tensors};
pub use tensors_file::TensorsFileError;
pub use tokenizer::{Encoding, Tokenizer, TokenizerError, VocabularyFile};
