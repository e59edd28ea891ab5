//! Finds named entities in a stream: reads one text per line from standard input, and writes a JSON
//! list of its entities per line to standard output, in the same order, until the input ends.
//!
//! ```text
//! nezha export models/nezha-tiny-zh-ner -o out
//! cargo run --release --example entities -- out < texts.txt
//! ```

use std::env;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::num::NonZeroUsize;

use nezha_onnx::runtime::task::{Aggregation, TokenClassificationOptions};
use nezha_onnx::runtime::{Batching, TokenClassification};

/// Texts that are read before the first of them is answered: more are faster, fewer are answered
/// sooner.
const WINDOW: NonZeroUsize = NonZeroUsize::new(16).unwrap();

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1).ok_or("expected an exported folder")?;
    let options = TokenClassificationOptions::default().aggregation(Aggregation::Simple);
    let tagger = TokenClassification::builder()
        .options(options)
        .batching(Batching::default().window(WINDOW))
        .load(folder)?;
    let texts = io::stdin().lock().lines().map_while(Result::ok);
    let mut out = io::stdout().lock();
    for entities in tagger.stream(texts) {
        serde_json::to_writer(&mut out, &entities?)?;
        writeln!(out)?;
    }
    Ok(())
}
