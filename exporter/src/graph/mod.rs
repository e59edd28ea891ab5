//! A typed graph under construction: values are identities, names come last.
//!
//! A [`Builder`] owns the graph; a [`Scope`] is a place in it, such as
//! `nezha.encoder.layer.0.attention.self`, and is at once the prefix of the weights read there and
//! of the nodes made there. Operations are methods of the scope, take and return [`Value`]s, and
//! infer dtype and shape as they go; only finishing the graph can fail, and tells then of all weights
//! that are not there, so that the architecture reads as its equations:
//!
//! ```
//! # use nezha_exporter::graph::{Builder, NoWeights};
//! # use nezha_graphs::{DType, Dim, Port};
//! let weights = NoWeights;
//! let builder = Builder::new("example", 17, &weights);
//! let shape = [Dim::symbol("batch_size"), Dim::from(8)];
//! let x = builder.input(&Port::new("x", DType::F32, &shape, "a batch of rows"));
//!
//! let s = builder.scope("head");
//! let y = s.softmax(s.mul(x, s.float(0.5)));
//!
//! builder.output(&Port::new("y", DType::F32, &shape, "probabilities"), Some(y));
//! let graph = builder.finish()?;
//! assert_eq!(graph.nodes.len(), 2);
//! assert_eq!(graph.nodes[0].name, "head/Mul");
//! # Ok::<(), nezha_exporter::graph::GraphError>(())
//! ```
//!
//! A finished graph is in single precision and has all that was built; [`passes`](crate::passes) make of
//! it what an artifact has. The module knows nothing of NEZHA, checkpoints or files.

mod builder;
mod constants;
mod error;
pub(crate) mod infer;
mod model;
mod op;
mod operations;
mod scope;
mod state;
mod weight;

pub use builder::Builder;
pub use error::GraphError;
pub use infer::Element;
pub(crate) use model::{Definition, Facts, Known};
pub use model::{Graph, Node, Value, ValueType};
pub use op::Op;
pub use scope::Scope;
pub(crate) use weight::Weight;
pub use weight::{Blocks, Content, Encoding, Initializer, Layout, NoWeights, WeightError, Weights};
