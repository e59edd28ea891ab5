//! How fast models are in engines, and where the time goes.
//!
//! - [`bench`](mod@bench): models in engines side by side, each in a process of its own, with how far
//!   their answers are apart; as data, CSV and HTML;
//! - [`profile`](mod@profile): the time of one model, operator by operator; as data and as a flame graph;
//! - [`tune`]: the fastest model, engine and threads whose answers stay the same;
//! - [`statistics`]: what samples come to;
//! - [`Machine`]: where it all ran.
#![deny(missing_docs)]

pub mod bench;
mod machine;
pub mod profile;
pub mod statistics;
pub mod tune;

pub use machine::Machine;
