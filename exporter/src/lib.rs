//! Exports a NEZHA checkpoint to ONNX, without Python and without tracing.
//!
//! Data flows one way. In reading order:
//!
//! 1. [`checkpoint`]: reads files as named tensors;
//! 2. [`graph`]: typed operations on values, and the scopes that name them;
//! 3. [`nezha`]: the architecture, as equations over scopes;
//! 4. [`passes`]: converts a finished graph to a precision, folds constants and names outputs;
//! 5. [`quantize`]: the formulas for weights of fewer bits;
//! 6. [`onnx`]: writes a graph as bytes;
//! 7. [`export`]: does all of this in one call;
//! 8. [`inspect`](mod@inspect): shows what a file contains, in numbers and as a picture;
//! 9. [`mod@reference`]: the same model in f64 and plain loops, for comparison;
//! 10. [`verify`](mod@verify): checks a file against the checkpoint, weight by weight.
//!
//! ```no_run
//! use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
//! use nezha_exporter::{ExportOptions, export};
//!
//! let checkpoint = Checkpoint::open("models/nezha-tiny-zh", &OpenOptions::default())?;
//! let exported = export(&checkpoint, "out", &ExportOptions::default())?;
//! for artifact in &exported.artifacts {
//!     println!("{}: {}", artifact.head, artifact.file.path.display());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]
#![deny(unsafe_code)]

pub mod checkpoint;
mod export;
pub mod graph;
pub mod inspect;
mod listed;
pub mod nezha;
pub mod onnx;
pub mod passes;
pub mod quantize;
pub mod reference;
mod transpose;
pub mod verify;

pub use export::{
    Artifact, ExportError, ExportOptions, Exported, Heads, Layout, LayoutError, LayoutOption,
    LinkError, OPSETS, Placement, Progress, Survey, TritonOptions, Unavailable, UnknownLayout,
    Warning, WrittenFile, export, export_with_progress,
};
