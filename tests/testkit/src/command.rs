//! The binary `nezha` and what it printed.

use std::process::Output;

/// Runs `nezha` with these arguments to its end; the test has to be of the package that has the
/// binary.
#[macro_export]
macro_rules! nezha {
    ($arguments:expr) => {
        ::std::process::Command::new(env!("CARGO_BIN_EXE_nezha"))
            .args($arguments)
            .output()
            .expect("nezha runs")
    };
}

/// What was printed on standard output.
#[track_caller]
pub fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("standard output is UTF-8")
}

/// What was printed on standard error.
#[track_caller]
pub fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("standard error is UTF-8")
}

/// Fails unless the command ended with 0, and shows what it printed.
#[track_caller]
pub fn succeeded(output: Output) -> Output {
    assert!(
        output.status.success(),
        "{}\n{}{}",
        output.status,
        stdout(&output),
        stderr(&output)
    );
    output
}
