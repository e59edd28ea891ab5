use std::collections::HashMap;
use std::fmt;
use std::io::Write;

use nezha_graphs::ExternalData;
use nezha_graphs::proto::{ModelProto, StringStringEntryProto};
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use super::WriteError;
use super::content::write_content;
use super::lower;
use crate::checkpoint::Checkpoint;
use crate::graph::{Content, Graph, Initializer};

/// The largest message that protobuf allows, in bytes.
pub const MESSAGE_LIMIT: u64 = i32::MAX as u64;

/// Numbers of the fields that are encoded by hand, in `ModelProto`, `GraphProto` and `TensorProto`.
const GRAPH: u32 = 7;
const INITIALIZER: u32 = 5;
const RAW_DATA: u32 = 9;

/// A range of a file beside the `.onnx`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The file's name.
    pub location: String,
    /// Offset of the range in the file, in bytes.
    pub offset: u64,
    /// Length of the range, in bytes.
    pub length: u64,
}

/// The places of the initializers that are not inside of the message.
pub type Links = HashMap<Content, Link>;

/// The message of an `.onnx` file without its metadata. Its size is known before a byte is written.
///
/// Weights are copied from the checkpoint to the file one by one. The messages around them are
/// encoded by hand, since encoding the whole model would hold all weights in memory at once. The
/// fields of a message may come in any order, so [`encode_metadata`] can be written last.
pub struct Message<'g> {
    /// The model without the graph and the metadata.
    model: Vec<u8>,
    /// The graph without the initializers.
    graph: Vec<u8>,
    tensors: Vec<Tensor<'g>>,
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("size", &self.size())
            .field("initializers", &self.tensors.len())
            .finish_non_exhaustive()
    }
}

impl<'g> Message<'g> {
    /// Lays out the message of `graph`. Initializers without a link are inside of it.
    pub fn new(graph: &'g Graph, links: &Links) -> Self {
        let mut model = lower::model(graph);
        let nodes = model.graph.take().unwrap_or_default().encode_to_vec();
        let tensors = graph.initializers.iter();
        Self {
            model: model.encode_to_vec(),
            graph: nodes,
            tensors: tensors
                .map(|it| Tensor::new(graph, it, links.get(&it.content)))
                .collect(),
        }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        let graph = self.graph_size();
        self.model.len() as u64 + frame(GRAPH, graph).len() as u64 + graph
    }

    /// Writes it to `out`.
    ///
    /// # Errors
    /// [`WriteError::Io`], [`WriteError::Checkpoint`] and [`WriteError::Precision`].
    pub fn write(&self, checkpoint: &Checkpoint, out: &mut impl Write) -> Result<(), WriteError> {
        out.write_all(&self.model)?;
        out.write_all(&frame(GRAPH, self.graph_size()))?;
        out.write_all(&self.graph)?;
        for tensor in &self.tensors {
            out.write_all(&frame(INITIALIZER, tensor.size()))?;
            out.write_all(&tensor.header)?;
            if let Some((content, size)) = tensor.elements {
                out.write_all(&frame(RAW_DATA, size))?;
                write_content(checkpoint, content, out)?;
            }
        }
        Ok(())
    }

    fn graph_size(&self) -> u64 {
        self.graph.len() as u64 + self.tensors.iter().map(Tensor::field_size).sum::<u64>()
    }
}

/// The metadata of a model, encoded as the last bytes of its file.
pub fn encode_metadata(metadata: Vec<(String, String)>) -> Vec<u8> {
    let entry = |(key, value)| StringStringEntryProto { key, value };
    ModelProto {
        metadata_props: metadata.into_iter().map(entry).collect(),
        ..ModelProto::default()
    }
    .encode_to_vec()
}

/// A `TensorProto` in two parts: the fields that prost encodes, and the elements after them.
struct Tensor<'g> {
    header: Vec<u8>,
    /// The elements and their size in bytes, unless they are in another file.
    elements: Option<(&'g Content, u64)>,
}

impl<'g> Tensor<'g> {
    fn new(graph: &Graph, initializer: &'g Initializer, link: Option<&Link>) -> Self {
        let mut header = lower::tensor(graph, initializer);
        let elements = match link {
            Some(link) => {
                let place = ExternalData {
                    location: &link.location,
                    offset: link.offset,
                    length: Some(link.length),
                };
                place.give_to(&mut header);
                None
            }
            None => Some((
                &initializer.content,
                lower::tensor_bytes(graph, initializer),
            )),
        };
        Self {
            header: header.encode_to_vec(),
            elements,
        }
    }

    fn size(&self) -> u64 {
        let elements = self
            .elements
            .map_or(0, |(_, size)| frame(RAW_DATA, size).len() as u64 + size);
        self.header.len() as u64 + elements
    }

    fn field_size(&self) -> u64 {
        frame(INITIALIZER, self.size()).len() as u64 + self.size()
    }
}

/// The start of a field with `size` bytes of content: its number and its length.
fn frame(field: u32, size: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2 + encoded_len_varint(size));
    encode_key(field, WireType::LengthDelimited, &mut bytes);
    encode_varint(size, &mut bytes);
    bytes
}
