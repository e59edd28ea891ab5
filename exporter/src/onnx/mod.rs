//! From finished graphs to files: messages, files of weights, and writing without leaving half a
//! file behind.
//!
//! A [`Message`] is a whole `.onnx` file. Its weights are inside of it, or [`Links`] say where
//! they lie: in a [`WeightsFile`] beside it, or in the checkpoint's own files. Both know their
//! size before anything is written, and both stream: no more than one weight is in memory.

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

/// The message of a graph but for its initializers.
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
