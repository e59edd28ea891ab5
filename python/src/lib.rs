//! The module `nezha_onnx._nezha`: the libraries, as Python sees them.
//!
//! It is thin on purpose. The package `nezha_onnx` around it has what is natural in Python:
//! signatures with defaults, answers in transformers' form, dataclasses. This module has the calls
//! that compute, which follow these rules:
//!
//! - `fork::detached`: the interpreter's lock is released while a library computes, and a panic
//!   becomes an `InternalError`;
//! - `fork::Reopened`: an object that was made before a fork opens its engine again in the new
//!   process;
//! - `failure::Failure`: every error has its class in `nezha_onnx.errors`.

mod checkpoint;
mod command;
mod engine;
mod export;
mod failure;
#[expect(
    unsafe_code,
    reason = "memory that Python owns is reached by pointers, and the end of a process by libc"
)]
mod foreign;
mod fork;
mod inspect;
mod pipeline;
mod scorer;
mod session;
mod split;
mod tasks;
mod tensors;

use pyo3::prelude::*;

/// The libraries, as Python sees them; import `nezha_onnx` instead.
#[pymodule]
mod _nezha {
    #[pymodule_export]
    use super::checkpoint::Checkpoint;
    #[pymodule_export]
    use super::command::main;
    #[pymodule_export]
    use super::engine::set_packages;
    #[pymodule_export]
    use super::export::{agreement, export};
    #[pymodule_export]
    use super::fork::forked;
    #[pymodule_export]
    use super::inspect::{diagram, inspect, listing, verify};
    #[pymodule_export]
    use super::pipeline::Pipeline;
    #[pymodule_export]
    use super::scorer::Scorer;
    #[pymodule_export]
    use super::session::Session;
    #[pymodule_export]
    use super::split::Split;

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
