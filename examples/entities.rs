//! Named entities over a stream: a text on each line of standard input, a JSON list of its entities on each
//! line of standard output, in the same order, as long as texts come.
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

/// Texts that are read before the first of them is answered: more are faster, fewer answer sooner.
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
