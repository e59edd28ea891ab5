//! What is asked, the most important first.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::checkpoint;
use super::place::Place;

/// One question.
pub(super) struct Step {
    /// For `--only` and the log.
    pub(super) name: &'static str,
    /// For the report.
    pub(super) title: &'static str,
    /// Asks, and gives the answer in Markdown.
    pub(super) ask: fn(&Place) -> Result<String>,
}

/// All of them.
pub(super) const STEPS: [Step; 9] = [
    Step {
        name: "doctor",
        title: "What is here",
        ask: doctor,
    },
    Step {
        name: "conformance",
        title: "Every head against the reference",
        ask: conformance,
    },
    Step {
        name: "base",
        title: "Base size against the reference",
        ask: base,
    },
    Step {
        name: "decoder",
        title: "Generation with a cache on the device",
        ask: decoder,
    },
    Step {
        name: "bench",
        title: "Time",
        ask: bench,
    },
    Step {
        name: "profile",
        title: "Where the time goes",
        ask: profile,
    },
    Step {
        name: "torch",
        title: "transformers in torch",
        ask: torch,
    },
    Step {
        name: "tensorrt",
        title: "TensorRT",
        ask: tensorrt,
    },
    Step {
        name: "triton",
        title: "Triton",
        ask: triton,
    },
];

/// Precisions that are proved.
const PRECISIONS: [&str; 3] = ["fp32", "fp16", "int8"];
/// The fixtures that are asked: every head, and decoders with and without an encoder.
const FIXTURES: [&str; 3] = ["reach-4", "decoder-causal", "decoder-cross-attention"];

const SHORT: Duration = Duration::from_secs(30);
const MIDDLE: Duration = Duration::from_secs(90);
const LONG: Duration = Duration::from_mins(3);

fn fenced(text: &str) -> String {
    format!("```text\n{}\n```", text.trim_end())
}

fn doctor(place: &Place) -> Result<String> {
    let mut card = Command::new("nvidia-smi");
    let card = place.output("doctor", SHORT, &mut card);
    // It fails where any engine has a problem; what it says counts.
    let report = place.output("doctor", MIDDLE, &mut place.nezha(["doctor"]));
    let card = card.unwrap_or_else(|error| format!("nvidia-smi: {error:#}"));
    Ok(format!("{}\n\n{}", fenced(&card), fenced(&report?)))
}

/// Exports a head in a precision, more options behind it, and gives the model's file.
fn export(place: &Place, checkpoint: &Path, name: &str, more: &[&str]) -> Result<PathBuf> {
    let folder = place.work.join(name);
    let mut command = place.nezha(["export", "--force", "-o"]);
    command.arg(&folder).arg(checkpoint).args(more);
    place.output("export", MIDDLE, &mut command)?;
    let files = fs::read_dir(&folder)?.flatten().map(|it| it.path());
    let mut models = files.filter(|it| it.extension().is_some_and(|it| it == "onnx"));
    models
        .next()
        .with_context(|| format!("{}: no .onnx", folder.display()))
}

/// How far an engine's answers are off, by `nezha verify`, as a row: model, worst, allowed, passed.
fn verified(place: &Place, engine: &str, checkpoint: &Path, model: &Path, name: &str) -> String {
    let mut command = place.nezha(["verify", "--json", "--engines", engine]);
    command.arg(model).arg(checkpoint);
    if engine == "ort:tensorrt" {
        command
            .arg("--tensorrt-cache")
            .arg(place.work.join("tensorrt"));
    }
    let said = place.output("verify", LONG, &mut command);
    let file = model.file_name().unwrap_or_default().to_string_lossy();
    let certificate = match file.as_ref() {
        "model.onnx" => model.with_file_name("verification.json"),
        _ => model.with_extension("verification.json"),
    };
    let read = || -> Result<String> {
        let text = match said {
            Ok(text) => text,
            Err(error) => fs::read_to_string(certificate).map_err(|_| error)?,
        };
        let value: Value = serde_json::from_str(&text)?;
        let engine = &value["engines"][0];
        let cases = engine["cases"].as_array().context("no cases")?;
        let errors = cases.iter().filter_map(|it| it["error"].as_f64());
        let worst = errors.fold(f64::NAN, f64::max);
        Ok(format!(
            "{worst:.1e} | {} | {}",
            engine["tolerance"], value["passed"]
        ))
    };
    match read() {
        Ok(row) => format!("| {name} | {row} |\n"),
        Err(error) => format!("| {name} | – | – | {error:#} |\n"),
    }
}

/// A table of rows, an error where one did not pass.
fn table(rows: &str) -> Result<String> {
    let table = format!("| model | worst | allowed | passed |\n|---|---|---|---|\n{rows}");
    match rows.lines().all(|it| it.ends_with("| true |")) {
        true => Ok(table),
        false => bail!("not every answer is within the tolerance\n\n{table}"),
    }
}

fn conformance(place: &Place) -> Result<String> {
    let mut rows = String::new();
    for fixture in FIXTURES {
        let mut heads: Vec<PathBuf> =
            fs::read_dir(place.pack.join("tests/fixtures").join(fixture))?
                .flatten()
                .map(|it| it.path())
                .filter(|it| it.is_dir())
                .collect();
        heads.sort();
        for head in heads {
            let name = head
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            for precision in PRECISIONS {
                let title = format!("{fixture} {name} {precision}");
                let options = ["--head", &name, "--dtype", precision];
                let model = export(place, &head, &title.replace(' ', "-"), &options)?;
                rows += &verified(place, &place.engine, &head, &model, &title);
            }
        }
    }
    table(&rows)
}

/// The checkpoint of base size, written by the first step that needs it.
fn base_checkpoint(place: &Place) -> Result<PathBuf> {
    let folder = place.work.join("base");
    if !folder.exists() {
        checkpoint::write(&folder)?;
    }
    Ok(folder)
}

/// Its artifact in a precision, exported by the first step that needs it.
fn base_model(place: &Place, precision: &str) -> Result<PathBuf> {
    let checkpoint = base_checkpoint(place)?;
    export(
        place,
        &checkpoint,
        &format!("base-{precision}"),
        &["--dtype", precision],
    )
}

fn base(place: &Place) -> Result<String> {
    let mut rows = String::new();
    for precision in PRECISIONS {
        let model = base_model(place, precision)?;
        let checkpoint = base_checkpoint(place)?;
        rows += &verified(
            place,
            &place.engine,
            &checkpoint,
            &model,
            &format!("base size {precision}"),
        );
    }
    table(&rows)
}

/// Greedy generation by the engine and by the CPU has to give the same text.
fn decoder(place: &Place) -> Result<String> {
    let source = place.pack.join("models/nezha-tiny-zh");
    let config = place.work.join("decoder.json");
    let text = fs::read_to_string(source.join("config.json"))?;
    let mut value: Value = serde_json::from_str(&text)?;
    value["is_decoder"] = true.into();
    serde_json::to_writer(
        fs::File::options()
            .create(true)
            .write(true)
            .truncate(true)
            .open(&config)?,
        &value,
    )?;
    let config = config.to_string_lossy().into_owned();
    let options = ["--head", "masked-lm", "--kv-cache", "--config", &config];
    let model = export(place, &source, "decoder", &options)?;
    let folder = model.parent().context("a model without folder")?;
    let generate = |engine: &str| {
        let mut command = place.nezha(["generate", "--json", "--engine", engine]);
        command.arg(folder).arg("中国");
        place.output("decoder", MIDDLE, &mut command)
    };
    let (there, here) = (generate(&place.engine)?, generate("ort:cpu")?);
    match there == here {
        true => Ok(format!(
            "The same tokens as on the CPU:\n\n{}",
            fenced(&there)
        )),
        false => bail!(
            "other tokens than on the CPU:\n\n{}\n\n{}",
            fenced(&there),
            fenced(&here)
        ),
    }
}

fn bench(place: &Place) -> Result<String> {
    let checkpoint = base_checkpoint(place)?;
    let bert = export(
        place,
        &checkpoint,
        "bert",
        &["--max-relative-position", "0"],
    )?;
    let mut command = place.nezha([
        "bench",
        "--engines",
        &place.engine,
        "--shapes",
        &place.shapes,
    ]);
    command.args(["--runs", "30", "--seconds", "1", "--rounds", "3", "--json"]);
    command.arg(place.results.join("bench.json")).arg(bert);
    for precision in PRECISIONS {
        command.arg(base_model(place, precision)?);
    }
    // Torch's exports of the same size, where the pack brought them.
    for name in ["torchscript.onnx", "dynamo.onnx"] {
        let file = place.pack.join("peers").join(name);
        if file.exists() {
            command.arg(file);
        }
    }
    let text = place.output("bench", LONG, &mut command)?;
    Ok(format!(
        "The first model is a plain BERT.\n\n{}",
        fenced(&text)
    ))
}

fn profile(place: &Place) -> Result<String> {
    let mut texts = Vec::new();
    for precision in ["fp32", "fp16"] {
        let model = base_model(place, precision)?;
        let mut command = place.nezha(["profile", "--engine", &place.engine, "--sequence", "128"]);
        command.arg(model);
        texts.push(fenced(&place.output("profile", MIDDLE, &mut command)?));
    }
    Ok(texts.join("\n\n"))
}

/// What transformers' own NEZHA takes, where Python has torch and it.
fn torch(place: &Place) -> Result<String> {
    let mut known = Command::new("python3");
    known.args(["-c", "import torch, transformers; transformers.NezhaModel"]);
    if let Err(error) = place.output("torch", MIDDLE, &mut known) {
        return Ok(format!(
            "Not asked: Python has no torch with transformers 4.46 ({error:#})."
        ));
    }
    let mut command = Command::new("python3");
    command.arg(place.pack.join("benches/peers/gpu.py"));
    command
        .arg(base_checkpoint(place)?)
        .args(["--shapes", &place.shapes]);
    Ok(fenced(&place.output("torch", LONG, &mut command)?))
}

fn tensorrt(place: &Place) -> Result<String> {
    if place.engine != "ort:cuda" {
        return Ok(format!("Not asked: {} is proved, not CUDA.", place.engine));
    }
    let checkpoint = base_checkpoint(place)?;
    let mut rows = String::new();
    // The second time the engine comes out of the cache.
    for turn in ["first", "from the cache"] {
        let model = base_model(place, "fp32")?;
        rows += &verified(
            place,
            "ort:tensorrt",
            &checkpoint,
            &model,
            &format!("TensorRT, {turn}"),
        );
    }
    table(&rows)
}

fn triton(place: &Place) -> Result<String> {
    let mut known = Command::new("tritonserver");
    known.arg("--version");
    if let Err(error) = place.output("triton", SHORT, &mut known) {
        return Ok(format!("Not asked: no tritonserver here ({error:#})."));
    }
    let checkpoint = base_checkpoint(place)?;
    let folder = place.work.join("repository");
    let mut command = place.nezha(["export", "--layout", "triton", "-o"]);
    command.arg(&folder).arg(checkpoint);
    place.output("triton", MIDDLE, &mut command)?;
    let mut server = Command::new("timeout");
    server.args([
        "60",
        "tritonserver",
        "--exit-on-error",
        "true",
        "--model-repository",
    ]);
    server.arg(&folder);
    // It serves until it is stopped: that it loaded the model stands in its log.
    let ended = place.output("triton", MIDDLE, &mut server);
    let log = fs::read_to_string(place.results.join("triton.log"))?;
    match log.contains("Started GRPCInferenceService") {
        true => Ok("Triton loaded the repository.".to_owned()),
        false => bail!("Triton did not start: {ended:?}"),
    }
}
