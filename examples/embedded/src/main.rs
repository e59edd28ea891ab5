//! Classifies texts with the model that is in this executable: no file is read, no library loaded, no thread
//! started.
//!
//! ```sh
//! embedded 房间很干净，服务热情。
//! ```

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use nezha_runtime::{Artifact, EngineKind, EngineOptions, TextClassification, TractOptions};

/// Vectors of weights are read where they lie.
#[repr(C, align(64))]
struct Aligned<B: ?Sized>(B);

/// What `nezha pack` wrote.
static MODEL: &Aligned<[u8]> = &Aligned(*include_bytes!(env!("NEZHA_MODEL")));

fn main() -> ExitCode {
    match classify(env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn classify(texts: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    let artifact = Artifact::from_packed_trusted(&MODEL.0)?;
    // A plan for the shape of the text is made sooner than one for every shape. A program that goes on to
    // answer other texts leaves this out.
    let plans = TractOptions::default().plans(1);
    let classifier = TextClassification::builder()
        .engine(EngineKind::Tract)
        .engine_options(EngineOptions::default().tract(plans))
        .threads(1)
        .load_artifact(&artifact)?;
    let mut out = io::stdout().lock();
    for text in texts {
        for answers in classifier.run([text.as_str()])? {
            writeln!(out, "{}\t{:.4}\t{text}", answers[0].label, answers[0].score)?;
        }
    }
    Ok(())
}
