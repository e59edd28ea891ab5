//! Measures how fast models are in engines, and where the time goes.
//!
//! - [`bench`](mod@bench): compares models in engines, each in a process of its own: their speed,
//!   and how far their outputs differ; as data, CSV and HTML;
//! - [`profile`](mod@profile): the time of one model, operator by operator; as data and as a flame
//!   graph;
//! - [`tune`]: the fastest model, engine and threads whose answers stay the same;
//! - [`statistics`]: summaries of samples;
//! - [`Machine`]: the machine that it ran on.
#![deny(missing_docs)]

pub mod bench;
mod machine;
pub mod profile;
pub mod statistics;
pub mod tune;

pub use machine::Machine;
