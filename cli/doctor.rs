//! `nezha doctor`: which engines run here, what is missing, and how to get it.

use anyhow::{Result, bail};
use nezha_runtime::doctor::{Cpu, EngineReport, OnnxRuntime, Report, examine};

use crate::engine::LibraryArgs;

/// Say which engines run here, what is missing and how to get it; fails where none runs.
#[derive(clap::Args)]
pub struct Args {
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    library: LibraryArgs,
}

/// Prints what was found.
pub fn run(args: Args) -> Result<()> {
    let report = examine(&args.library.options());
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print(&report),
    }
    match report.any_engine_runs() {
        true => Ok(()),
        false => bail!("no engine runs"),
    }
}

fn print(report: &Report) {
    println!("nezha {}\n\nengines", report.version);
    report.engines.iter().for_each(print_engine);
    println!("\nONNX Runtime");
    print_onnx_runtime(&report.onnx_runtime);
    println!("\nCPU");
    print_cpu(&report.cpu);
    match &report.onnx_runtime.cache {
        Some(cache) => println!("\ncache\n  {}", cache.display()),
        None => println!("\ncache\n  none"),
    }
    if !report.problems.is_empty() {
        println!("\nproblems");
    }
    for it in &report.problems {
        println!("  {}: {}\n    {}", it.subject, it.problem, it.remedy);
    }
}

fn print_engine(report: &EngineReport) {
    let state = match &report.description {
        Some(description) => format!("runs: {description}"),
        None => "does not run".to_owned(),
    };
    println!("  {:<14}{state}", report.engine);
}

fn print_onnx_runtime(runtime: &OnnxRuntime) {
    match (&runtime.path, &runtime.version, runtime.source) {
        (Some(path), Some(version), Some(source)) => {
            println!("  {version}: {} ({source})", path.display());
            println!("  built with {}", runtime.execution_providers.join(", "));
        }
        _ => println!("  none"),
    }
    for rejected in &runtime.rejected {
        println!("  not taken: {rejected}");
    }
}

fn print_cpu(cpu: &Cpu) {
    let threads = cpu
        .threads
        .map_or(String::new(), |it| format!(", {it} threads"));
    println!("  {}{threads}", cpu.architecture);
    for feature in &cpu.features {
        let present = if feature.present { "yes" } else { "no" };
        println!("  {:<14}{present:<5}{}", feature.name, feature.purpose);
    }
}
