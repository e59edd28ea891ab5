use bytes::Bytes;
use prost::{DecodeError, Message as _};

use crate::proto::ModelProto;
use crate::room::{Kind, Room};

/// The first bytes of a Git LFS pointer: the small text that Git leaves in place of a large file.
pub const LFS_POINTER: &[u8] = b"version https://git-lfs";

/// Bytes that the messages of any file may take, even if the file is small: enough for 30,000 nodes
/// with short names.
const ENOUGH: usize = 48 << 20;

/// Bytes of memory per byte of a file that consists of messages alone. A NEZHA of a thousand layers
/// needs 4.
const FACTOR: usize = 6;

/// Bytes that the messages of a file may take beyond the file's size, which is mostly weights.
const BEYOND: usize = 256 << 20;

/// Why bytes can't be read as a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeModelError {
    /// The bytes are not a protobuf message of this kind, or the message was cut short.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The messages take many times the memory of the bytes, as no real model's messages do.
    #[error(
        "its {found} bytes become more than {limit} bytes of messages, more than any real model needs"
    )]
    Unfolds {
        /// Size of the encoded model, in bytes.
        found: usize,
        /// The most bytes of memory that the messages may take.
        limit: usize,
    },
    /// The file is a Git LFS pointer: the real file was not downloaded.
    #[error("a Git LFS pointer, not the file itself; run `git lfs pull` in its repository")]
    LfsPointer,
    /// The model has no graph.
    #[error("it holds no graph")]
    NoGraph,
    /// The graph has no outputs.
    #[error("its graph has no outputs")]
    NoOutputs,
}

/// Decodes a model from untrusted bytes. Its weights are views of these bytes.
///
/// An empty message is two bytes in a file and a few hundred in memory, so the size of the messages
/// is computed before any message is created. Messages, with the structures that a reader builds
/// from them, may take 48 MiB, or six times the size of the bytes if that is more, but then at most
/// 256 MiB more than the bytes.
///
/// The returned model has a graph with at least one output.
///
/// # Errors
/// [`DecodeModelError`].
#[allow(
    clippy::disallowed_methods,
    reason = "the one place where a model is decoded: its messages are counted before"
)]
pub fn decode_model(bytes: Bytes) -> Result<ModelProto, DecodeModelError> {
    if bytes.starts_with(LFS_POINTER) {
        return Err(DecodeModelError::LfsPointer);
    }
    let found = bytes.len();
    let limit = limit(found);
    let mut room = Room::new(limit);
    if !room.holds(Kind::Model, &bytes, 0)? {
        return Err(DecodeModelError::Unfolds { found, limit });
    }
    let model = ModelProto::decode(bytes)?;
    match &model.graph {
        None => Err(DecodeModelError::NoGraph),
        Some(graph) if graph.output.is_empty() => Err(DecodeModelError::NoOutputs),
        Some(_) => Ok(model),
    }
}

/// The most memory that messages may take if they are decoded from this many bytes.
fn limit(bytes: usize) -> usize {
    let multiple = bytes.saturating_mul(FACTOR);
    multiple.min(bytes.saturating_add(BEYOND)).max(ENOUGH)
}

#[cfg(test)]
mod tests {
    use prost::encoding::WireType;

    use super::*;
    use crate::proto::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto};
    use crate::room::{DESCRIBED, OVERHEAD};

    /// A field of a message in bytes: its number, its length, its content.
    fn field(tag: u32, content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        prost::encoding::encode_key(tag, WireType::LengthDelimited, &mut bytes);
        prost::encoding::encode_varint(content.len() as u64, &mut bytes);
        bytes.extend(content);
        bytes
    }

    fn refused(model: Vec<u8>) -> bool {
        let found = decode_model(Bytes::from(model));
        matches!(found, Err(DecodeModelError::Unfolds { .. }))
    }

    #[test]
    fn a_million_empty_messages_are_refused_before_they_are_made() {
        let million = |tag| field(tag, &[]).repeat(1_000_000);
        let nodes = |node: &[u8]| field(7, &field(1, node));
        for (what, model) in [
            ("nodes", field(7, &million(1))),
            ("initializers", field(7, &million(5))),
            ("outputs", field(7, &million(12))),
            ("metadata", million(14).repeat(2)),
            ("names of inputs", nodes(&million(1).repeat(3))),
            ("attributes", nodes(&million(5))),
            (
                "nodes of one attribute",
                field(7, &nodes_of_one_attribute()),
            ),
            (
                "operators of one letter",
                field(7, &field(1, &field(4, b"A")).repeat(500_000)),
            ),
            (
                "whole numbers",
                nodes(&field(5, &field(8, &vec![0; 10_000_000]))),
            ),
        ] {
            assert!(refused(model), "{what}");
        }
    }

    /// An attribute is rarely alone in its vector, which has room for four from the first one on.
    fn nodes_of_one_attribute() -> Vec<u8> {
        field(1, &field(5, &[])).repeat(100_000)
    }

    /// The least that is a model.
    fn graph() -> GraphProto {
        GraphProto {
            output: vec![ValueInfoProto::default()],
            ..GraphProto::default()
        }
    }

    #[test]
    fn what_is_counted_is_what_the_vectors_of_a_decoded_model_have_room_for() {
        let texts = vec![String::from("a text that is long"); 37];
        let node = NodeProto {
            input: texts.clone(),
            output: texts,
            ..NodeProto::default()
        };
        let model = ModelProto {
            graph: Some(GraphProto {
                node: vec![node; 1000],
                ..graph()
            }),
            ..ModelProto::default()
        };
        let bytes = Bytes::from(model.encode_to_vec());
        let mut room = Room::new(usize::MAX);
        assert!(room.holds(Kind::Model, &bytes, 0).unwrap());
        let counted = usize::MAX - room.left();
        let graph = decode_model(bytes).unwrap().graph.unwrap();
        let vectors = graph.node.iter().flat_map(|it| [&it.input, &it.output]);
        let texts = |vector: &Vec<String>| {
            let contents: usize = vector.iter().map(String::capacity).sum();
            vector.capacity() * size_of::<String>() + contents
        };
        let taken = graph.node.capacity() * size_of::<NodeProto>()
            + DESCRIBED * graph.output.capacity() * size_of::<ValueInfoProto>()
            + vectors.map(texts).sum::<usize>();
        let allocations = graph.node.len() * 2 * (1 + 37);
        assert!(counted >= taken, "{counted} counted, {taken} taken");
        let most = taken + (allocations + 2) * OVERHEAD;
        assert!(counted <= most, "{counted} counted, at most {most} taken");
    }

    #[test]
    fn a_thousand_layers_of_nodes_with_long_names_are_read() {
        let name = |at: usize| format!("nezha.encoder.layer.{at}.attention.self/MatMul");
        let node = |at: usize| NodeProto {
            input: vec![name(at), name(at + 1)],
            output: vec![name(at + 2)],
            name: name(at + 2),
            op_type: "MatMul".to_owned(),
            attribute: vec![AttributeProto::default(); at % 2],
            ..NodeProto::default()
        };
        let model = ModelProto {
            graph: Some(GraphProto {
                node: (0..100_000).map(node).collect(),
                ..graph()
            }),
            ..ModelProto::default()
        };
        let read = decode_model(model.encode_to_vec().into()).unwrap();
        assert_eq!(read.graph.map(|it| it.node.len()), Some(100_000));
    }

    #[test]
    fn the_limit_grows_with_the_file_and_never_far_beyond_it() {
        let mib = |count: usize| count << 20;
        for (bytes, expected) in [(0, 48), (8, 48), (10, 60), (30, 180), (1024, 1280)] {
            assert_eq!(limit(mib(bytes)), mib(expected), "{bytes} MiB");
        }
    }

    #[test]
    fn what_is_no_model_says_why() {
        let graph = |graph| ModelProto {
            graph,
            ..ModelProto::default()
        };
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
        for (bytes, expected) in [
            (graph(None).encode_to_vec(), "no graph"),
            (
                graph(Some(GraphProto::default())).encode_to_vec(),
                "no outputs",
            ),
            (pointer.to_vec(), "git lfs pull"),
        ] {
            let error = decode_model(bytes.into()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_model_with_large_weights_is_read_and_they_are_not_copied() {
        let weight = TensorProto {
            raw_data: vec![7; 100 << 20].into(),
            ..TensorProto::default()
        };
        let model = ModelProto {
            graph: Some(GraphProto {
                initializer: vec![weight],
                node: vec![NodeProto::default(); 10_000],
                ..graph()
            }),
            ..ModelProto::default()
        };
        let bytes = Bytes::from(model.encode_to_vec());
        let read = decode_model(bytes.clone()).unwrap();
        assert_eq!(read.graph.as_ref().map(|it| it.node.len()), Some(10_000));
        let weight = &read.graph.as_ref().unwrap().initializer[0].raw_data;
        assert!(bytes.as_ptr_range().contains(&weight.as_ptr()));
    }

    #[test]
    fn what_is_cut_short_is_malformed() {
        let model = ModelProto {
            producer_name: "x".repeat(100),
            graph: Some(graph()),
            ..ModelProto::default()
        };
        let bytes = Bytes::from(model.encode_to_vec());
        // A model that ends behind the name is whole, and has no graph.
        let name = 2 + 100;
        for length in (1..bytes.len()).filter(|it| *it != name) {
            let found = decode_model(bytes.slice(..length));
            assert!(
                matches!(found, Err(DecodeModelError::Malformed(_))),
                "{length}: {found:?}"
            );
        }
    }

    #[test]
    fn graphs_within_graphs_end_somewhere() {
        let mut graph = Vec::new();
        for _ in 0..10_000 {
            graph = field(1, &field(5, &field(6, &graph)));
        }
        let found = decode_model(Bytes::from(field(7, &graph)));
        assert!(matches!(found, Err(DecodeModelError::Malformed(_))));
    }
}
