//! The contract of nezha-onnx: what the exporter writes and the runtime reads.
//!
//! Exporter and runtime don't depend on each other; both depend on this crate. In reading order:
//!
//! - [`Config`]: the fields of `config.json` that matter to inference, validated;
//! - [`Head`]: the eight heads that transformers trains on NEZHA, and [`HeadSpec`]: a head of the
//!   user's own;
//! - [`Dim`] and [`DType`]: the shapes, with named axes, and the element types of tensors;
//! - [`GraphOptions`] and [`Signature`]: names, dtypes and shapes of a graph's inputs and outputs,
//!   and the [`Role`] of each;
//! - [`Precision`]: how a graph stores weights and computes;
//! - [`Metadata`]: the description of an artifact in its own file;
//! - [`listing`] and [`ModelSummary`]: a graph as lines of text, and as numbers;
//! - [`Vocabulary`] and [`TokenizerSettings`]: the content of `vocab.txt`, and of the tokenizer
//!   files beside it;
//! - [`Artifact`]: a model with its files, in a folder, in one packed file or in memory;
//! - [`files`]: atomic writing of files;
//! - [`error_chain`]: an error with its causes, as one line;
//! - [`proto`]: the few ONNX messages that a NEZHA graph needs; [`read_model`], the one way to read
//!   them from a file; [`ExternalData`], the place of weights in another file; and
//!   [`replace_initializers`].
//!
//! ```
//! use nezha_graphs::{Config, GraphOptions, Head, Signature};
//!
//! let config = Config::from_json(r#"{"model_type": "nezha", "hidden_size": 768}"#)?;
//! let signature = Signature::new(&config, Head::MaskedLm, &GraphOptions::default());
//! assert_eq!(
//!     signature.outputs[0].to_string(),
//!     "logits: float32[batch_size, sequence_length, 21128]"
//! );
//! # Ok::<(), nezha_graphs::ConfigError>(())
//! ```
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod activation;
mod artifact;
mod config;
mod decode;
mod dim;
mod dtype;
mod error_chain;
mod external;
pub mod files;
mod gather;
mod head;
pub mod head_spec;
mod heads;
mod initializers;
mod listing;
mod map;
mod mask;
mod metadata;
mod names;
mod option_error;
mod options;
mod ports;
mod precision;
pub mod proto;
mod read;
mod role;
mod room;
mod setters;
mod signature;
mod summary;
mod tensor_type;
mod tokenizer;
mod vocabulary;

pub use activation::{Activation, UnknownActivation};
pub use artifact::{Artifact, ArtifactError, PartError, is_packed};
pub use config::{
    Config, ConfigError, MAX_RELATIVE_POSITION_LIMIT, ProblemType, UNNAMED_LABEL_LIMIT,
    UnknownProblemType,
};
pub use decode::{DecodeModelError, LFS_POINTER, decode_model};
pub use dim::{Bindings, Dim};
pub use dtype::DType;
pub use error_chain::error_chain;
pub use external::ExternalData;
pub use gather::{Gather, UnknownGather};
pub use head::{Head, UnknownHead};
pub use head_spec::{HeadSpec, HeadSpecError, OwnHead};
pub use initializers::{Initializer, replace_initializers};
pub use listing::{attribute_text, constant_text, listing};
pub use map::{map_file, release_pages};
pub use mask::{MaskSource, UnknownMaskSource};
pub use metadata::{Metadata, MetadataError, SIGNATURE_VERSION};
pub use names::PortNames;
pub use option_error::{GraphOption, OptionError};
pub use options::{GraphOptions, Pooling, UnknownPooling};
pub use ports::axes;
pub use precision::{Precision, UnknownPrecision};
pub use read::{ReadModelError, read_model};
pub use role::{AttentionKind, Cached, CachedPart, Role};
pub use signature::{Port, Signature, SignatureError};
pub use summary::{ExternalFile, ModelSummary, OperatorSet, PortSummary, WeightSummary};
pub use tensor_type::{TensorType, graph_types};
pub use tokenizer::{
    AddedToken, TokenRole, TokenizerFiles, TokenizerSettings, TokenizerSettingsError,
};
pub use vocabulary::{RepeatedToken, Vocabulary, VocabularyError};
