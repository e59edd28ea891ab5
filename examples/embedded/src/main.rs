//! Classifies texts with a model that is part of this executable: it reads no file, loads no
//! library and starts no thread.
//!
//! ```sh
//! embedded 房间很干净，服务热情。
//! ```

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use nezha_runtime::{Artifact, EngineKind, EngineOptions, TextClassification, TractOptions};

/// Aligns the model so that vectors of weights can be read in place.
#[repr(C, align(64))]
struct Aligned<B: ?Sized>(B);

/// The file that `nezha pack` wrote.
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
    // A plan for the shape of this text is made faster than one for every shape. Omit this in a
    // program that goes on to answer other texts.
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
