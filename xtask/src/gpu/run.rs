//! All steps, one after the other, each able to fail alone.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::place::Place;
use super::steps::STEPS;

/// Ask everything.
#[derive(clap::Args)]
pub(crate) struct Run {
    /// The engine to prove: ort:cuda, or another one to try a pack where no GPU is.
    #[arg(long, default_value = "ort:cuda")]
    engine: String,
    /// All of the time that there is.
    #[arg(long, default_value_t = 480)]
    seconds: u64,
    /// Batch x tokens of the benchmark; a CPU has no time for all of them.
    #[arg(long, default_value = "1x16,1x128,8x128,32x128,1x512,32x512")]
    shapes: String,
    /// Where the answers go.
    #[arg(long, default_value = "results")]
    results: PathBuf,
    /// Only the steps whose name has this in it.
    #[arg(long)]
    only: Option<String>,
}

impl Run {
    /// Runs the steps; after each, `results.json` and `results.md` have what is known.
    pub(super) fn all(&self) -> Result<()> {
        let pack = env::current_exe()?;
        let pack = pack.parent().context("this program has no folder")?;
        let results = env::current_dir()?.join(&self.results);
        fs::create_dir_all(&results).with_context(|| results.display().to_string())?;
        let work = tempfile::tempdir_in(&results)?;
        let begin = Instant::now();
        let place = Place {
            pack: pack.to_owned(),
            work: work.path().to_owned(),
            results,
            engine: self.engine.clone(),
            shapes: self.shapes.clone(),
            end: begin + Duration::from_secs(self.seconds),
        };
        let mut done: Vec<Value> = Vec::new();
        let mut report = format!("# {} on {}\n", self.engine, jiff::Zoned::now().date());
        let steps = STEPS.iter().filter(|it| {
            let only = self.only.as_deref();
            only.is_none_or(|only| it.name.contains(only))
        });
        for step in steps {
            let began = Instant::now();
            let answer = match place.is_over() {
                true => Err(anyhow::anyhow!("no time was left")),
                false => (step.ask)(&place),
            };
            let seconds = began.elapsed().as_secs_f64();
            let (passed, text) = match answer {
                Ok(text) => (true, text),
                Err(error) => (false, format!("failed: {error:#}")),
            };
            println!(
                "{:6.1} s  {}  {}",
                seconds,
                step.name,
                if passed { "done" } else { &text }
            );
            report.push_str(&format!("\n## {} ({seconds:.1} s)\n\n{text}\n", step.title));
            done.push(json!({
                "step": step.name, "passed": passed, "seconds": seconds, "text": text,
            }));
            let all = json!({"engine": self.engine, "seconds": begin.elapsed().as_secs_f64(), "steps": done});
            write(&place.results.join("results.json"), &format!("{all:#}\n"))?;
            write(&place.results.join("results.md"), &report)?;
        }
        let failed: Vec<&str> = done
            .iter()
            .filter(|it| it["passed"] == false)
            .filter_map(|it| it["step"].as_str())
            .collect();
        match failed.as_slice() {
            [] => Ok(()),
            _ => bail!("failed: {}; {}", failed.join(", "), place.results.display()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "written again after each step")]
fn write(path: &std::path::Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}
