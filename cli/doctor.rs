//! `nezha doctor`: which engines run here, what is missing, and how to get it.

use anyhow::{Result, bail};
use nezha_runtime::doctor::{Cpu, EngineReport, OnnxRuntime, OpenVino, Report, examine};

use crate::engine::LibraryArgs;
use crate::openvino::OpenVinoLibrary;
use crate::output::{self, line};

/// Show which engines run here, what is missing and how to get it; fails if none runs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    library: LibraryArgs,
    #[command(flatten)]
    openvino: OpenVinoLibrary,
}

/// Prints what was found.
pub(crate) fn run(args: Args) -> Result<()> {
    let report = examine(&args.library.options().openvino(args.openvino.options()));
    match args.json {
        true => output::json(&report)?,
        false => print(&report)?,
    }
    match report.any_engine_runs() {
        true => Ok(()),
        false => bail!("no engine runs"),
    }
}

fn print(report: &Report) -> Result<()> {
    line(format_args!("nezha {}\n\nengines", report.version))?;
    for engine in &report.engines {
        print_engine(engine, &report.onnx_runtime)?;
    }
    line("\nONNX Runtime")?;
    print_onnx_runtime(&report.onnx_runtime)?;
    line("\nOpenVINO")?;
    print_openvino(&report.openvino)?;
    line("\nCPU")?;
    print_cpu(&report.cpu)?;
    match &report.onnx_runtime.cache {
        Some(cache) => line(format_args!("\ncache\n  {}", cache.display()))?,
        None => line("\ncache\n  none")?,
    }
    if !report.problems.is_empty() {
        line("\nproblems")?;
    }
    for it in &report.problems {
        line(format_args!(
            "  {}: {}\n    {}",
            it.subject, it.problem, it.remedy
        ))?;
    }
    Ok(())
}

fn print_engine(report: &EngineReport, runtime: &OnnxRuntime) -> Result<()> {
    let built_with = |provider| runtime.execution_providers.iter().any(|it| it == provider);
    let provider = report.engine.execution_provider();
    let state = match (&report.description, provider) {
        (Some(description), _) => format!("runs: {description}"),
        (None, Some(provider)) if runtime.path.is_some() && !built_with(provider) => {
            let build = report.engine.spec().build;
            format!("not in this ONNX Runtime: {build}")
        }
        (None, _) => "does not run".to_owned(),
    };
    line(format_args!("  {:<14}{state}", report.engine))
}

fn print_onnx_runtime(runtime: &OnnxRuntime) -> Result<()> {
    match (&runtime.path, &runtime.version, runtime.source) {
        (Some(path), Some(version), Some(source)) => {
            line(format_args!("  {version}: {} ({source})", path.display()))?;
            line(format_args!(
                "  built with {}",
                runtime.execution_providers.join(", ")
            ))?;
        }
        _ => line("  none")?,
    }
    for rejected in &runtime.rejected {
        line(format_args!("  not taken: {rejected}"))?;
    }
    Ok(())
}

fn print_openvino(openvino: &OpenVino) -> Result<()> {
    match (&openvino.path, &openvino.version, openvino.source) {
        (Some(path), Some(version), Some(source)) => {
            line(format_args!("  {version}: {} ({source})", path.display()))?;
        }
        _ => line("  none")?,
    }
    for device in &openvino.devices {
        line(format_args!(
            "  {}: {} ({})",
            device.name, device.full_name, device.capabilities
        ))?;
    }
    for rejected in &openvino.rejected {
        line(format_args!("  not taken: {rejected}"))?;
    }
    Ok(())
}

fn print_cpu(cpu: &Cpu) -> Result<()> {
    let threads = cpu
        .threads
        .map_or(String::new(), |it| format!(", {it} threads"));
    line(format_args!("  {}{threads}", cpu.architecture))?;
    for feature in &cpu.features {
        let present = if feature.present { "yes" } else { "no" };
        line(format_args!(
            "  {:<14}{present:<5}{}",
            feature.name, feature.purpose
        ))?;
    }
    Ok(())
}
