//! From a NEZHA checkpoint to an ONNX file, without Python and without tracing.
//!
//! Data flows one way; in reading order:
//!
//! 1. [`checkpoint`]: files become named tensors;
//! 2. [`graph`]: typed operations on values, and the scopes that name them;
//! 3. [`nezha`]: the architecture, in equations over scopes;
//! 4. [`passes`]: a finished graph in another precision, folded and named;
//! 5. [`quantize`]: what weights become in fewer bits;
//! 6. [`onnx`]: a graph becomes bytes;
//! 7. [`export`]: all of it in one call;
//! 8. [`inspect`](mod@inspect): what a file holds, in numbers and as a picture;
//! 9. [`mod@reference`]: the same model in f64 and plain loops, to compare with;
//! 10. [`verify`](mod@verify): whether a file is the checkpoint's, weight by weight.
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
