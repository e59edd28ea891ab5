//! NEZHA models as ONNX graphs: export them, run them, compare them. One dependency for all of it.
//!
//! ```
//! # // The packed crate has no checkpoints.
//! # if std::env::var("NEZHA_REPOSITORY").unwrap_or_default().is_empty() {
//! #     return Ok(());
//! # }
//! # let folder = tempfile::tempdir()?;
//! # let out = folder.path();
//! use nezha_onnx::export::{Checkpoint, ExportOptions, OpenOptions, export};
//! use nezha_onnx::runtime::TextClassification;
//!
//! let source = "models/nezha-tiny-zh-sentiment";
//! let checkpoint = Checkpoint::open(source, &OpenOptions::default())?;
//! export(&checkpoint, out, &ExportOptions::default())?;
//! let classifier = TextClassification::load(out)?;
//! for labels in classifier.run(["房间很干净，服务热情，下次还会住。"])? {
//!     println!("{} {:.4}", labels[0].label, labels[0].score); // positive 0.9959
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`export`](mod@export): turns a checkpoint into an artifact: `.onnx`, config and tokenizer in
//!   a folder;
//! - [`runtime`]: runs artifacts in engines, from raw tensors to text in and answers out;
//! - [`verify`](mod@verify): checks that an artifact matches its checkpoint, weight by weight and
//!   output by output;
//! - [`measure`]: measures how fast models are in engines, and where the time goes;
//! - [`score`]: adds a model's answers to the rows of a corpus;
//! - [`hub`]: fetches checkpoints from the Hugging Face hub by their names.
//!
//! What they share is here: a [`Head`] and its [`GraphOptions`], a [`Config`], a [`Precision`], the
//! [`Signature`] of a graph with its [`Port`]s, and [`error_chain`], which formats an error with
//! its causes.
//!
//! # Features
//!
//! By default, the crate builds the binary `nezha` with all of this. A program that needs only the
//! library turns the defaults off, and names the features that it needs:
//!
//! ```toml
//! nezha-onnx = { version = "0.1", default-features = false, features = ["ort", "pipelines"] }
//! ```
//!
//! | feature | what it adds |
//! |---|---|
//! | `ort` | ONNX Runtime, loaded at run time; enables `setup` |
//! | `openvino` | OpenVINO, loaded at run time; enables `setup` |
//! | `tract` | tract, in pure Rust; takes minutes to compile |
//! | `setup` | finds and installs the libraries of ONNX Runtime and OpenVINO |
//! | `pipelines` | tokenizer, tasks and pipelines: text in, answers out |
//! | `decoder` | the decoder's cache, and generation of token ids; with `pipelines` also of text |
//! | `hub` | checkpoints from the Hugging Face hub |
//! | `verify` | verification |
//! | `measure` | benchmarks and profiles; enables `verify` |
//! | `score` | corpora in Parquet, CSV and JSON lines; enables `pipelines` |
//! | `cli` | the binary, and every feature except engines, `hub` and `score` |
//!
//! Sessions over raw tensors and the export are always included. Without a feature for an engine,
//! only an engine [of your own](runtime::Session::with_engine) computes.
//!
//! # What is stable
//!
//! Versions follow semantic versioning for everything in this crate's documentation. Options and
//! most enums are `#[non_exhaustive]`: a new field or variant is no breaking change. The enums that
//! describe a graph ([`Head`], [`Precision`], [`DType`], [`Activation`] and similar ones) are
//! exhaustive, so that code which handles all variants doesn't compile when there is a new one. A
//! new variant comes with a new minor version before 1.0, and with a new major version after it.
//! [`proto`], [`export::graph`], [`export::nezha`], [`export::onnx`] and [`export::quantize`] are
//! for tools that look inside a graph, and may change with any minor version.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs)]

pub use nezha_graphs::{
    Activation, Bindings, Config, ConfigError, DType, Dim, Gather, GraphOption, GraphOptions, Head,
    HeadSpec, HeadSpecError, Metadata, OptionError, Pooling, Port, Precision, ProblemType, Role,
    Signature, SignatureError, error_chain, head_spec, proto,
};
#[doc(no_inline)]
pub use {half, ndarray};

/// Exports a checkpoint to an `.onnx` file.
pub mod export {
    pub use nezha_exporter::checkpoint::{Checkpoint, CheckpointError, MemoryTensor, OpenOptions};
    pub use nezha_exporter::*;
}

/// Runs models in engines, from raw tensors to text in and answers out.
pub mod runtime {
    pub use nezha_runtime::*;
}

/// Fetches checkpoints from the Hugging Face hub by their names.
#[cfg(feature = "hub")]
pub mod hub {
    pub use nezha_hub::*;
}

/// Measures how fast models are in engines, and where the time goes.
#[cfg(feature = "measure")]
pub mod measure {
    pub use nezha_measure::*;
}

/// Adds a model's answers to the rows of a corpus, without losing or repeating a row.
#[cfg(feature = "score")]
pub mod score {
    pub use nezha_score::*;
}

/// Verifies that an artifact matches its checkpoint, and that engines compute it correctly.
#[cfg(feature = "verify")]
pub mod verify {
    pub use nezha_verify::*;
}
