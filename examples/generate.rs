//! Continues texts, token by token, with a decoder's cache of keys and values.
//!
//! The bundled checkpoint was not trained as a decoder: this shows how it works, not how well.
//!
//! ```text
//! nezha export models/nezha-tiny-zh -o out --head masked-lm --kv-cache --decoder
//! cargo run --release --example generate -- out '今天天气' '房间很'
//! ```
#![allow(clippy::print_stdout, reason = "an example prints its answers")]

use std::env;
use std::error::Error;

use nezha_onnx::runtime::{GenerationOptions, Sampling, Strategy, TextGeneration};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let folder = arguments.next().ok_or("expected an exported folder")?;
    let texts: Vec<String> = arguments.collect();
    let generation = TextGeneration::load(folder)?;
    let sampling = Sampling::default().top_k(5).seed(1);
    for strategy in [Strategy::Greedy, Strategy::Sample(sampling)] {
        let options = GenerationOptions::default()
            .max_new_tokens(8)
            .strategy(strategy);
        for (text, more) in texts.iter().zip(generation.texts(&texts, &options)?) {
            println!("{text} → {} ({})", more.text, more.finish.name());
        }
    }
    Ok(())
}
