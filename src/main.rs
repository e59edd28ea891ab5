//! The binary `nezha`.

use std::process::ExitCode;

fn main() -> ExitCode {
    nezha_cli::main(std::env::args_os()).into()
}
