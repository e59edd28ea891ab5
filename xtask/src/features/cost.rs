//! What a feature costs: crates, seconds of building, bytes of a program that uses it.
#![allow(
    clippy::disallowed_methods,
    reason = "a program to be built is nobody's output"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::listed;
use super::times::Times;
use crate::output::stdout;
use crate::{TARGET, cargo, root};

/// A program: the crate and the features that it names, and what it does with them.
struct Program {
    package: &'static str,
    features: &'static str,
    /// Engines of nezha-runtime that it names beside.
    engines: &'static str,
    /// An expression of `path`, a path, that says whether all went well.
    does: &'static str,
}

const SESSION: &str = "nezha_runtime::Session::load(path).is_ok()";
const CLASSIFIES: &str =
    "nezha_runtime::TextClassification::load(path).is_ok_and(|it| it.run([\"text\"]).is_ok())";
const SCORES: &str = "{
        use nezha_onnx::{runtime, score::*};
        let score = || {
            let asked = Asked::of_model(path.as_ref())?;
            let scorer = load(path.as_ref(), &asked, &runtime::EngineChoice::Auto, &Default::default())?;
            let request = Request {
                inputs: vec![path.to_owned()],
                output: path.into(),
                format: None,
                model: path.into(),
                asked,
                columns: vec![path.to_owned()],
                keep: Keep::All,
                prefix: String::new(),
                row_index: None,
                part_rows: PART_ROWS,
            };
            if let Begun::Work(work) = Work::begin(&request, scorer.as_ref())? {
                run(&work, &[], scorer.as_ref(), OnError::Null, &Progress::default())?;
                work.finish()?;
            }
            Ok::<(), ScoreError>(())
        };
        score().is_ok()
    }";

const PROGRAMS: [Program; 16] = [
    runtime("", SESSION),
    runtime(
        "decoder",
        "nezha_runtime::Session::load(path).is_ok_and(|it| nezha_runtime::Decoder::new(&it).is_ok())",
    ),
    runtime(
        "setup",
        "nezha_runtime::setup::setup(nezha_runtime::setup::Build::Cpu).is_ok()",
    ),
    runtime("ort", SESSION),
    runtime("openvino", SESSION),
    runtime("tract", SESSION),
    runtime("pipelines", CLASSIFIES),
    runtime("ort,pipelines", CLASSIFIES),
    runtime("pipelines,tract", CLASSIFIES),
    facade(
        "",
        "nezha_onnx::export::Checkpoint::open(path, &Default::default()).is_ok_and(|it| \
         nezha_onnx::export::export(&it, path, &Default::default()).is_ok())",
    ),
    facade(
        "hub",
        "nezha_onnx::hub::Hub::from_env().is_ok_and(|hub| \"a/b\".parse().is_ok_and(|it| \
         hub.fetch(&it, &mut |_| ()).is_ok()))",
    ),
    facade(
        "verify",
        "nezha_onnx::export::Checkpoint::open(path, &Default::default()).is_ok_and(|it| \
         nezha_onnx::verify::verify(path, &it, &[], &Default::default()).is_ok())",
    ),
    facade(
        "measure",
        "nezha_onnx::measure::bench::Document::read(path).is_ok_and(|it| \
         nezha_onnx::measure::bench::html(&it).is_ok())",
    ),
    facade("score", SCORES),
    command("", ""),
    command("hub,score", "openvino,ort,tract"),
];

const fn runtime(features: &'static str, does: &'static str) -> Program {
    Program {
        package: "nezha-runtime",
        features,
        engines: "",
        does,
    }
}

const fn facade(features: &'static str, does: &'static str) -> Program {
    Program {
        package: "nezha-onnx",
        features,
        engines: "",
        does,
    }
}

/// The command, with some engines.
const fn command(features: &'static str, engines: &'static str) -> Program {
    Program {
        package: "nezha-cli",
        features,
        engines,
        does: "nezha_cli::main(std::env::args_os()) == 0",
    }
}

/// Builds a program for each row, what they share once, and prints what they cost.
pub(super) fn table(folder: &Path) -> Result<()> {
    let place = Place {
        package: folder.join("program"),
        times: Times::new(folder.join("times"))?,
        built: folder.to_owned(),
    };
    println!("| crate | features | crates | processor seconds to build | program |");
    println!("|---|---|---:|---:|---:|");
    for program in &PROGRAMS {
        let named = listed(program.features).chain(listed(program.engines));
        let features = named.collect::<Vec<_>>().join(", ");
        let (seconds, bytes) = place
            .build(program)
            .with_context(|| format!("{} with '{features}'", program.package))?;
        println!(
            "| `{}` | {features} | {} | {seconds:.0} | {:.1} MB |",
            program.package,
            place.crates()?,
            bytes as f64 / 1e6
        );
    }
    Ok(())
}

/// Where programs are written and built.
struct Place {
    package: PathBuf,
    times: Times,
    built: PathBuf,
}

impl Place {
    /// Builds a program; how long its crates took, whenever they were built, and how large it is.
    fn build(&self, program: &Program) -> Result<(f64, u64)> {
        self.write(program)?;
        self.times.forget("program")?;
        let mut build = self.cargo(&["build", "--release", "--quiet", "--message-format", "json"]);
        self.times.keep(&mut build)?;
        let artifacts = stdout(&mut build)?;
        let seconds = self.times.of(&artifacts)? + self.times.of_crate("program")?;
        let program = self.built.join("release/program");
        Ok((seconds, fs::metadata(program)?.len()))
    }

    /// How many crates are compiled into the program, without its own.
    fn crates(&self) -> Result<usize> {
        let mut tree = self.cargo(&["tree", "--edges", "normal", "--prefix", "none"]);
        let text = stdout(tree.args(["--format", "{p}"]))?;
        let crates = text.lines().filter(|it| !it.is_empty());
        let crates: BTreeSet<&str> = crates.map(|it| it.trim_end_matches(" (*)")).collect();
        Ok(crates.len() - 1)
    }

    fn write(&self, program: &Program) -> Result<()> {
        let mut dependencies = dependency(program.package, program.features)?;
        if !program.engines.is_empty() {
            dependencies += &dependency("nezha-runtime", program.engines)?;
        }
        let manifest = format!(
            "[package]\nname = \"program\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}\n[workspace]\n\n\
             [profile.release]\nstrip = true\n"
        );
        let main = format!(
            "fn main() {{\n    let path = &*std::env::args().nth(1).unwrap_or_default();\n    \
             let _ = path;\n    std::process::exit(i32::from(!({})));\n}}\n",
            program.does
        );
        fs::create_dir_all(self.package.join("src"))?;
        fs::write(self.package.join("Cargo.toml"), manifest)?;
        fs::write(self.package.join("src/main.rs"), main)?;
        // The versions are those of the workspace.
        fs::copy(root().join("Cargo.lock"), self.package.join("Cargo.lock"))?;
        Ok(())
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = cargo();
        cargo.args(arguments).arg("--manifest-path");
        cargo.arg(self.package.join("Cargo.toml"));
        cargo.env(TARGET, &self.built).current_dir(root());
        cargo
    }
}

/// The line of a manifest for one of our crates with some of its features.
fn dependency(package: &str, features: &str) -> Result<String> {
    let folder = match package {
        "nezha-onnx" => root(),
        other => root().join(other.trim_start_matches("nezha-")),
    };
    let features: Vec<&str> = listed(features).collect();
    Ok(format!(
        "{package} = {{ path = '{}', default-features = false, features = {features:?} }}\n",
        folder.canonicalize()?.display()
    ))
}
