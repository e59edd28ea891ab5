//! Semantic search: finds the texts of standard input whose meaning is nearest to a question.
//!
//! ```text
//! nezha export models/nezha-tiny-zh -o out --head base
//! cargo run --release --example semantic_search -- out '房间很干净' < texts.txt
//! ```
#![allow(clippy::print_stdout, reason = "an example prints its answers")]

use std::env;
use std::error::Error;
use std::io::{self, BufRead};

use nezha_onnx::runtime::Embedding;
use nezha_onnx::runtime::task::{EmbeddingOptions, Pooling};

/// Texts that are shown.
const SHOWN: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(folder), Some(question)) = (arguments.next(), arguments.next()) else {
        return Err("expected an exported folder and a question".into());
    };
    // For vectors of length 1, the product is the cosine.
    let options = EmbeddingOptions::default()
        .pooling(Pooling::Mean)
        .normalize(true);
    let embedder = Embedding::builder().options(options).load(folder)?;
    let texts = io::stdin().lock().lines().collect::<Result<Vec<_>, _>>()?;
    let vectors = embedder.run(&texts)?;
    let question = embedder.run([question])?.remove(0);
    let similarities = vectors.iter().map(|vector| vector.dot(&question));
    let mut found: Vec<(f32, &String)> = similarities.zip(&texts).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (similarity, text) in found.iter().take(SHOWN) {
        println!("{similarity:.3} {text}");
    }
    Ok(())
}
