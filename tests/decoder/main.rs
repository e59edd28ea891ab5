//! Decoders: their cache against transformers 4.46.3, which computes whole sequences; generated tokens
//! against a loop over it; beams against sequences that the reference scores one by one.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]
#![allow(
    clippy::print_stdout,
    reason = "--nocapture shows how near the answers are"
)]

mod beams;
mod cache;
mod command;
mod dialogue;
mod generation;
mod steps;

use std::path::PathBuf;

use ndarray::{Array2, s};
use nezha_graphs::{GraphOptions, Head};
use nezha_runtime::{Generated, GenerationOptions, Sampling, Strategy};
use tempfile::TempDir;
use testkit::compare::pairs;
use testkit::engines::artifact;
use testkit::fixtures::{Case, Tensor, fixture};

const NEW_TOKENS: usize = 12;

/// Token ids, sequence by sequence.
type Sequences = Vec<Vec<u32>>;

fn cached() -> GraphOptions {
    GraphOptions::default().kv_cache(true)
}

/// A decoder's artifact, which lives as long as the folder.
fn masked_lm(configuration: &str, graph: &GraphOptions) -> (TempDir, PathBuf) {
    let folder = fixture(&format!("{configuration}/masked-lm")).folder;
    artifact(&folder, Head::MaskedLm, graph, 17)
}

fn int64(case: &Case, name: &str) -> Option<Array2<i64>> {
    match case.inputs.get(name).or_else(|| case.outputs.get(name))? {
        Tensor::I64(array) => Some(array.clone().into_dimensionality().unwrap()),
        Tensor::F32(_) => panic!("{name} is no int64"),
    }
}

fn options(strategy: Strategy) -> GenerationOptions {
    GenerationOptions::default()
        .max_new_tokens(NEW_TOKENS)
        .strategy(strategy)
}

fn sample(top_k: Option<usize>, top_p: Option<f64>, seed: u64) -> Strategy {
    Strategy::Sample(
        Sampling::default()
            .top_k(top_k)
            .top_p(top_p)
            .temperature(1.0)
            .seed(seed),
    )
}

fn beam(width: usize, length_penalty: f64) -> Strategy {
    Strategy::Beam {
        width,
        length_penalty,
    }
}

fn ids(generated: Vec<Generated>) -> Sequences {
    generated.into_iter().map(|it| it.ids).collect()
}

/// The prompts of the greedy cases without their padding, and what transformers went on with.
fn greedy_cases() -> Vec<(Sequences, Sequences)> {
    let fixture = fixture("decoder-causal/masked-lm");
    let greedy = fixture.cases.iter().filter(|it| it.is_generation());
    let cases: Vec<_> = greedy
        .map(|case| {
            let prompts = int64(case, "input_ids").unwrap();
            let mask = int64(case, "attention_mask").unwrap_or(Array2::ones(prompts.dim()));
            let sequences = int64(case, "sequences").unwrap();
            let rows = pairs(&case.name, prompts.outer_iter(), mask.outer_iter());
            let real = rows.map(|(ids, mask)| {
                let real = pairs(&case.name, ids, mask).filter(|(_, mask)| **mask == 1);
                real.map(|(id, _)| *id as u32).collect()
            });
            let new = sequences.slice(s![.., prompts.ncols()..]);
            let new = new
                .outer_iter()
                .map(|row| row.iter().map(|id| *id as u32).collect());
            (real.collect(), new.collect())
        })
        .collect();
    assert_eq!(cases.len(), 2, "greedy and greedy-left-padded");
    cases
}
