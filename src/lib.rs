//! NEZHA models as ONNX graphs: export, run, compare. One dependency for all of it.
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
//! - [`export`](mod@export): a checkpoint becomes an artifact: `.onnx`, config and tokenizer in a folder;
//! - [`runtime`]: artifacts in engines, from raw tensors to text in and answers out;
//! - [`verify`](mod@verify): whether an artifact is its checkpoint's, weight by weight and answer by answer;
//! - [`measure`]: how fast models are in engines, and where the time goes;
//! - [`score`]: a corpus in, a corpus with the answers out;
//! - [`hub`]: checkpoints from the Hugging Face hub by their names.
//!
//! What the two sides share is here: a [`Head`] and its [`GraphOptions`], a [`Config`], a [`Precision`],
//! the [`Signature`] of a graph with its [`Port`]s, and [`error_chain`], which prints an error with its
//! causes.
//!
//! # Features
//!
//! The default is the binary `nezha` with all of this. A program that wants the library alone turns it
//! off, and names what it needs:
//!
//! ```toml
//! nezha-onnx = { version = "0.1", default-features = false, features = ["ort", "pipelines"] }
//! ```
//!
//! | feature | what it brings |
//! |---|---|
//! | `ort` | ONNX Runtime, loaded when a model is; `setup` with it |
//! | `openvino` | OpenVINO, loaded when a model is; `setup` with it |
//! | `tract` | tract, in pure Rust; minutes to compile |
//! | `setup` | finds and installs the libraries of ONNX Runtime and OpenVINO |
//! | `pipelines` | tokenizer, tasks and pipelines: text in, answers out |
//! | `decoder` | the decoder's cache and generation of token ids; of text together with `pipelines` |
//! | `hub` | checkpoints from the Hugging Face hub |
//! | `verify` | verification |
//! | `measure` | benchmarks and profiles; `verify` with it |
//! | `score` | corpora in Parquet, CSV and JSON lines; `pipelines` with it |
//! | `cli` | the binary, and every feature but engines, `hub` and `score` |
//!
//! Sessions over raw tensors and the export are always there. Without a feature for an engine, an engine
//! [of the program's own](runtime::Session::with_engine) is all that computes.
//!
//! # What is stable
//!
//! Versions follow semantic versioning for what stands in this crate's documentation. Options and most
//! enums are `#[non_exhaustive]`: a new field or variant is no breaking change. What graphs are made of is
//! not ([`Head`], [`Precision`], [`DType`], [`Activation`] and the like), so that who handles all of them
//! learns of a new one; it grows with a new minor version before 1.0 and with a new major one after
//! it. [`proto`], [`export::graph`], [`export::nezha`], [`export::onnx`] and [`export::quantize`] are for
//! tools that look inside of a graph, and may change with any minor version.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs)]

pub use nezha_graphs::{
    Activation, Bindings, Config, ConfigError, DType, Dim, Gather, GraphOption, GraphOptions, Head,
    HeadSpec, HeadSpecError, Metadata, OptionError, Pooling, Port, Precision, ProblemType, Role,
    Signature, SignatureError, error_chain, head_spec, proto,
};
#[doc(no_inline)]
pub use {half, ndarray};

/// From a checkpoint to an `.onnx` file.
pub mod export {
    pub use nezha_exporter::checkpoint::{Checkpoint, CheckpointError, MemoryTensor, OpenOptions};
    pub use nezha_exporter::*;
}

/// Models in engines, from raw tensors to text in and answers out.
pub mod runtime {
    pub use nezha_runtime::*;
}

/// Checkpoints from the Hugging Face hub, by their names.
#[cfg(feature = "hub")]
pub mod hub {
    pub use nezha_hub::*;
}

/// How fast models are in engines, and where the time goes.
#[cfg(feature = "measure")]
pub mod measure {
    pub use nezha_measure::*;
}

/// A corpus in, a corpus with the answers out, and no row lost or there twice.
#[cfg(feature = "score")]
pub mod score {
    pub use nezha_score::*;
}

/// Whether an artifact is what its checkpoint says, and whether engines compute it right.
#[cfg(feature = "verify")]
pub mod verify {
    pub use nezha_verify::*;
}
