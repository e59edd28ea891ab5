//! The command `nezha`.

use std::ffi::OsString;
use std::path::PathBuf;

use pyo3::prelude::*;

use crate::fork::detached;

/// Runs the command that the arguments describe, and returns its exit code; `program` is the
/// command that starts it again.
#[pyfunction]
pub(crate) fn main(
    py: Python<'_>,
    arguments: Vec<OsString>,
    program: Option<PathBuf>,
) -> PyResult<u8> {
    if let Some(program) = program {
        nezha_cli::set_program(program);
    }
    detached(py, || Ok(nezha_cli::main(arguments)))
}
