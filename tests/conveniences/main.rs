//! What the graph computes for other stacks: pooled vectors, probabilities, the scores of a few
//! tokens, the best tokens. Each is held to what f64 makes of transformers' own outputs.

mod pooling;
mod probabilities;
mod refusals;
mod structure;
mod vocabulary;

use ndarray::{ArrayD, Axis};
use nezha_graphs::Head;
use nezha_runtime::Tensors;
use testkit::fixtures::{Case, Fixture, Tensor, fixtures};

/// The cases that give token ids and want no loss.
fn cases(fixture: &Fixture) -> impl Iterator<Item = &Case> {
    let plain = |case: &&Case| {
        let given = |name: &str| case.inputs.contains_key(name);
        given("input_ids") && !given("head_mask") && !case.outputs.contains_key("loss")
    };
    let cases: Vec<&Case> = fixture.cases.iter().filter(plain).collect();
    assert!(!cases.is_empty(), "{}: no plain case", fixture.name);
    cases.into_iter()
}

fn of_heads(heads: &[Head]) -> Vec<Fixture> {
    let mut found = fixtures();
    // Decoders go on step by step; these are questions about whole texts.
    found.retain(|it| heads.contains(&it.head) && !it.name.starts_with("decoder-"));
    assert!(found.len() > 4, "{heads:?}");
    found
}

/// The checkpoint of 47 tokens, 2 layers and 2 attention heads.
fn reach_4(head: Head) -> Fixture {
    let mut found = of_heads(&[head]).into_iter();
    found.find(|it| it.name.starts_with("reach-4/")).unwrap()
}

fn float32(case: &Case, name: &str) -> ArrayD<f64> {
    match case.outputs.get(name) {
        Some(Tensor::F32(array)) => array.mapv(f64::from),
        other => panic!("{}: {name} is {other:?}", case.name),
    }
}

fn softmax(logits: &ArrayD<f64>) -> ArrayD<f64> {
    let mut p = logits.mapv(f64::exp);
    for mut row in p.lanes_mut(Axis(logits.ndim() - 1)) {
        let sum = row.sum();
        row /= sum;
    }
    p
}

fn f32s(outputs: &Tensors, name: &str) -> ArrayD<f32> {
    outputs.array::<f32>(name).unwrap().clone()
}
