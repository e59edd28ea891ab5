//! `nezha`: export NEZHA checkpoints to ONNX, run the graphs, see what they answer.
//!
//! Arguments in, one call into the libraries, exit code out: 0 done, 1 the work failed, 2 bad
//! usage. Each subcommand is one file.

mod agreement;
mod bench;
mod checkpoint_options;
mod demo;
mod doctor;
mod engine;
mod export;
mod generate;
mod inspect;
mod profile;
mod run;
mod setup;
mod tasks;
mod tensors_file;
mod texts;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use nezha_graphs::error_chain;

/// NEZHA models as ONNX graphs: export, run, compare.
#[derive(Parser)]
#[command(name = "nezha", version)]
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
    Profile(profile::Args),
    Run(run::Args),
    Setup(setup::Args),
    Verify(verify::Args),
    #[command(flatten)]
    Tasks(tasks::Command),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Bench(args) => bench::run(args),
        Command::BenchWorker(args) => bench::worker::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Export(args) => export::run(args),
        Command::Generate(args) => generate::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Profile(args) => profile::run(args),
        Command::Run(args) => run::run(args),
        Command::Setup(args) => setup::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Tasks(command) => tasks::run(command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error_chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
