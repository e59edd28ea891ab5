//! `nezha`: export NEZHA checkpoints to ONNX, run the graphs, see what they answer.
//!
//! Arguments in, one call into the libraries, exit code out: 0 done, 1 the work failed, 2 bad
//! usage. Each subcommand is one file, and `output` prints. A library, because the command comes in two
//! bodies: the binary, and the Python package's entry point.

mod bench;
mod checkpoint_options;
mod demo;
mod doctor;
mod engine;
mod export;
mod generate;
mod hint;
#[cfg(feature = "hub")]
mod hub;
mod inspect;
mod model;
mod openvino;
mod output;
mod pack;
mod profile;
mod program;
mod run;
#[cfg(feature = "score")]
mod score;
mod setup;
mod tasks;
mod tune;
mod verify;

use std::ffi::OsString;

use anyhow::Result;
use clap::{Parser, Subcommand};
use nezha_graphs::error_chain;

/// What follows the list of commands.
const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 the work failed, 2 bad usage. If the reader of the output stops early, as in
`nezha inspect model.onnx | head -1`, the rest is dropped and the exit code is still that of the work.";

/// NEZHA models as ONNX graphs: export, run, compare.
#[derive(Parser)]
#[command(name = "nezha", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Bench(bench::Args),
    #[command(hide = true)]
    BenchWorker(bench::worker::Args),
    Demo(demo::Args),
    Doctor(doctor::Args),
    Export(export::Args),
    Generate(generate::Args),
    Inspect(inspect::Args),
    Pack(pack::PackArgs),
    Profile(profile::Args),
    Run(run::Args),
    #[cfg(feature = "score")]
    Score(Box<score::Args>),
    Setup(setup::Args),
    Tune(tune::Args),
    Unpack(pack::UnpackArgs),
    Verify(verify::Args),
    #[command(flatten)]
    Tasks(tasks::Command),
}

pub use program::set_program;

/// Runs the command that the arguments say, the program's name first, and gives the exit code.
///
/// Bad usage ends the process with exit code 2.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let result = match Cli::try_parse_from(arguments) {
        Ok(cli) => run(cli.command),
        Err(misused) if misused.use_stderr() => misused.exit(),
        Err(asked) => output::help(&asked),
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            output::note(format_args!("error: {}", error_chain(error.as_ref())));
            if let Some(hint) = hint::hint(&error) {
                output::note(format_args!("hint: {hint}"));
            }
            1
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Bench(args) => bench::run(args),
        Command::BenchWorker(args) => bench::worker::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Export(args) => export::run(args),
        Command::Generate(args) => generate::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Pack(args) => pack::pack(args),
        Command::Profile(args) => profile::run(args),
        Command::Run(args) => run::run(args),
        #[cfg(feature = "score")]
        Command::Score(args) => score::run(*args),
        Command::Setup(args) => setup::run(args),
        Command::Tune(args) => tune::run(args),
        Command::Unpack(args) => pack::unpack(args),
        Command::Verify(args) => verify::run(args),
        Command::Tasks(command) => tasks::run(command),
    }
}
