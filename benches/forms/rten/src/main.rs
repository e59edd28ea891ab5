//! How long each form of the attention's Gather takes in rten, on as many threads as it starts itself.
//!
//! ```text
//! cargo run --release --manifest-path benches/forms/rten/Cargo.toml -- ours/model.onnx flat/model.onnx
//! ```
//!
//! The models take turns; of each the best of `RUNS` runs is told in ms.

use std::time::{Duration, Instant};

use anyhow::Result;
use rten::{Model, Value};

const RUNS: usize = 5;
const SHAPES: [[usize; 2]; 3] = [[1, 16], [1, 64], [1, 128]];

fn main() -> Result<()> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let models = files.iter().map(Model::load_file);
    let models = models.collect::<Result<Vec<_>, _>>()?;
    for shape in SHAPES {
        let mut best = vec![Duration::MAX; files.len()];
        // The first run allocates.
        for run in 0..=RUNS {
            for (best, model) in best.iter_mut().zip(&models) {
                let begin = Instant::now();
                answer(model, shape)?;
                if run > 0 {
                    *best = begin.elapsed().min(*best);
                }
            }
        }
        for (file, best) in files.iter().zip(best) {
            println!("{}x{} {file}: {best:.1?}", shape[0], shape[1]);
        }
    }
    Ok(())
}

fn answer(model: &Model, shape: [usize; 2]) -> Result<()> {
    let inputs = [("input_ids", 1000), ("attention_mask", 1), ("token_type_ids", 0)];
    let inputs = inputs.map(|(name, id)| {
        let value = Value::from_shape(&shape, vec![id; shape[0] * shape[1]])?;
        Ok((model.node_id(name)?, value.into()))
    });
    let inputs = inputs.into_iter().collect::<Result<_>>()?;
    model.run(inputs, model.output_ids(), None)?;
    Ok(())
}
