//! A typed graph under construction.
//!
//! A [`Builder`] owns the graph. A [`Scope`] is a path in it, such as
//! `nezha.encoder.layer.0.attention.self`; it is the prefix of the weights that are read there and
//! of the nodes that are created there. Operations are methods of the scope. They take and return
//! [`Value`]s, and infer dtype and shape at once. Only finishing the graph can fail, and its error
//! lists all missing weights. So the architecture reads like its equations:
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
//! A finished graph is in single precision and contains everything that was built;
//! [`passes`](crate::passes) turn it into the graph of an artifact. This module knows nothing about
//! NEZHA, checkpoints or files.

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
