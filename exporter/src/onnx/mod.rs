//! Writes finished graphs to files: messages and files of weights, without leaving half-written
//! files.
//!
//! A [`Message`] is an `.onnx` file. Its weights are inside of it, or [`Links`] say where they are:
//! in a [`WeightsFile`] beside it, or in the checkpoint's own files. The size of both is known
//! before anything is written, and both are streamed: at most one weight is in memory at a time.

mod content;
mod error;
mod lower;
mod message;
mod metadata;
mod weights_file;

use nezha_graphs::proto::GraphProto;

pub use content::write_content;
pub use error::WriteError;
pub use message::{Link, Links, MESSAGE_LIMIT, Message, encode_metadata};
pub(crate) use metadata::with_metadata;
pub use weights_file::WeightsFile;

use crate::graph::Graph;

/// The message of a graph, without its initializers.
pub(crate) fn graph_message(graph: &Graph) -> GraphProto {
    lower::model(graph).graph.unwrap_or_default()
}

/// The lowest ONNX IR version that `opset` allows.
pub fn ir_version(opset: u32) -> i64 {
    match opset {
        ..=18 => 8,
        19..=20 => 9,
        21..=22 => 10,
        _ => 11,
    }
}
