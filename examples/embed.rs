//! Embeds texts: reads one per line from standard input, and writes one vector per line to standard
//! output. Several threads share one pipeline.
//!
//! ```text
//! nezha export models/nezha-tiny-zh -o out --head base
//! cargo run --release --example embed -- out < texts
//! ```

use std::io::{self, BufRead, Write};
use std::num::NonZeroUsize;
use std::sync::mpsc;
use std::thread;

use nezha_onnx::runtime::task::{EmbeddingOptions, Pooling};
use nezha_onnx::runtime::{Embedding, EngineOptions, OrtOptions};

const THREADS: NonZeroUsize = NonZeroUsize::new(2).unwrap();
/// Texts that a thread takes at a time.
const CHUNK: usize = 512;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("expected an exported folder")?;
    // A session for each thread, so that none waits for another.
    let engine = EngineOptions::default()
        .threads(NonZeroUsize::new(1))
        .ort(OrtOptions::default().sessions(THREADS));
    let options = EmbeddingOptions::default()
        .pooling(Pooling::Mean)
        .normalize(true);
    let embedder = Embedding::builder()
        .engine_options(engine)
        .options(options)
        .load(folder)?;

    let texts = io::stdin().lock().lines().collect::<Result<Vec<_>, _>>()?;
    let chunks: Vec<&[String]> = texts.chunks(CHUNK).collect();
    let (sender, answers) = mpsc::channel();
    thread::scope(|scope| {
        for first in 0..THREADS.get() {
            let (sender, chunks, embedder) = (sender.clone(), &chunks, &embedder);
            scope.spawn(move || {
                for (number, chunk) in chunks.iter().enumerate().skip(first).step_by(THREADS.get())
                {
                    let vectors: Vec<_> = embedder.stream(*chunk).collect();
                    if sender.send((number, vectors)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
    });
    let mut chunks: Vec<_> = answers.into_iter().collect();
    chunks.sort_by_key(|(number, _)| *number);
    let mut out = io::stdout().lock();
    for vector in chunks.into_iter().flat_map(|(_, vectors)| vectors) {
        match vector {
            Ok(vector) => writeln!(out, "{:?}", vector.to_vec())?,
            Err(error) => writeln!(out, "{error}")?,
        }
    }
    Ok(())
}
