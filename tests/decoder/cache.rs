//! The cache in the graph: however a sequence is cut into steps, each step gives the rows that the
//! whole has there.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use ndarray::{ArrayD, Axis, Slice};
use nezha_graphs::{Gather, GraphOptions};
use nezha_runtime::{EngineKind, Session, Tensors};
use testkit::compare::assert_close;
use testkit::engines::{ENGINES, artifact, options, tensors};
use testkit::fixtures::{Case, Fixture, Tensor, fixtures};

/// The fixtures of decoders, with the cases that ask for what every token gets.
fn decoders() -> Vec<Fixture> {
    let mut decoders: Vec<Fixture> = fixtures()
        .into_iter()
        .filter(|it| it.name.starts_with("decoder-"))
        .collect();
    let names: Vec<&str> = decoders.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        names.len(),
        4,
        "base and masked-lm, with encoder and without: {names:?}"
    );
    for fixture in &mut decoders {
        let of_tokens = |case: &Case| !case.is_generation() && !case.name.starts_with("loss");
        fixture.cases.retain(of_tokens);
    }
    decoders
}

/// The graph of a case, with a cache.
fn cached(case: &Case, gather: Gather) -> GraphOptions {
    options(case).kv_cache(true).gather(gather)
}

/// Every way to cut `length` tokens in two, then token by token, then all in one step.
fn splits(length: usize) -> Vec<Vec<Range<usize>>> {
    let in_two = (1..length).map(|at| vec![0..at, at..length]);
    let one_by_one = (0..length).map(|at| at..at + 1).collect();
    let at_once = std::iter::once(0..length).collect();
    in_two.chain([one_by_one, at_once]).collect()
}

fn slice<T: Clone>(array: &ArrayD<T>, axis: usize, range: Range<usize>) -> ArrayD<T> {
    array.slice_axis(Axis(axis), Slice::from(range)).to_owned()
}

fn columns(tensor: &Tensor, range: Range<usize>) -> Tensor {
    match tensor {
        Tensor::I64(array) => Tensor::I64(slice(array, 1, range)),
        Tensor::F32(array) => Tensor::F32(slice(array, 1, range)),
    }
}

fn length(case: &Case) -> usize {
    let tokens = ["input_ids", "inputs_embeds"].map(|name| case.inputs.get(name));
    match tokens.into_iter().flatten().next() {
        Some(Tensor::I64(ids)) => ids.shape()[1],
        Some(Tensor::F32(embeddings)) => embeddings.shape()[1],
        None => panic!("{} has no tokens", case.name),
    }
}

/// What a step takes of the case's inputs: its own tokens, the mask up to them, and what the
/// encoder gave in the first step alone.
fn step_inputs(case: &Case, step: &Range<usize>) -> BTreeMap<String, Tensor> {
    let cut = case.inputs.iter().map(|(name, tensor)| {
        let tensor = match name.as_str() {
            "input_ids" | "inputs_embeds" | "token_type_ids" => columns(tensor, step.clone()),
            "attention_mask" => columns(tensor, 0..step.end),
            "encoder_hidden_states" if step.start > 0 => columns(tensor, 0..0),
            "encoder_hidden_states" | "encoder_attention_mask" | "head_mask" => tensor.clone(),
            other => panic!("{}: what is '{other}' in a step?", case.name),
        };
        (name.clone(), tensor)
    });
    cut.collect()
}

/// What is cached after a step, as the next one takes it.
fn cache(outputs: &Tensors) -> Tensors {
    let cached = outputs.iter().filter_map(|(name, tensor)| {
        let kept = name.strip_prefix("present.")?;
        Some((format!("past_key_values.{kept}"), tensor.clone()))
    });
    cached.collect()
}

/// Makes zero what belongs to queries that see no key: they are uniform over all keys, of which the
/// whole has more than a step.
fn without_blind_rows(
    case: &Case,
    step: &Range<usize>,
    query_axis: usize,
    array: &mut ArrayD<f32>,
) {
    let Some(Tensor::I64(mask)) = case.inputs.get("attention_mask") else {
        return;
    };
    for (row, mask) in mask.outer_iter().enumerate() {
        let first = mask.iter().position(|it| *it == 1).unwrap_or(mask.len());
        let blind = step.start..step.end.min(first.max(step.start));
        let mut of_row = array.index_axis_mut(Axis(0), row);
        for query in blind {
            let mut of_query = of_row.index_axis_mut(Axis(query_axis - 1), query - step.start);
            of_query.fill(0.0);
        }
    }
}

/// Compares the outputs of a step with transformers' for the whole; the worst relative error.
fn compare(
    context: &str,
    case: &Case,
    step: &Range<usize>,
    found: &Tensors,
    tolerance: f64,
) -> f64 {
    let mut worst = 0.0;
    for (name, expected) in case.answers() {
        let mut found = found.array::<f32>(name).unwrap().clone();
        let mut expected = expected.clone();
        if name == "pooler_output" {
            // It is of the first token of a step.
            if step.start > 0 {
                continue;
            }
            expected.insert_axis_inplace(Axis(1));
            found.insert_axis_inplace(Axis(1));
            let first = step.start..step.start + 1;
            without_blind_rows(case, &first, 1, &mut expected);
            without_blind_rows(case, &first, 1, &mut found);
        } else {
            let of_pairs = name.contains("attentions");
            let query_axis = if of_pairs { 2 } else { 1 };
            expected = slice(&expected, query_axis, step.clone());
            if name.starts_with("attentions") {
                expected = slice(&expected, 3, 0..step.end);
            }
            without_blind_rows(case, step, query_axis, &mut expected);
            without_blind_rows(case, step, query_axis, &mut found);
        }
        let error = assert_close(context, name, &expected, &found, tolerance);
        worst = f64::max(worst, error);
    }
    worst
}

/// Runs a case in steps.
fn follow(
    context: &str,
    session: &Session,
    case: &Case,
    steps: &[Range<usize>],
    tolerance: f64,
) -> f64 {
    let mut past = Tensors::default();
    let mut worst = 0.0;
    for step in steps {
        let context = format!("{context}, step {step:?} of {steps:?}");
        let mut inputs = tensors(&step_inputs(case, step));
        for (name, tensor) in past {
            inputs.insert(name, tensor);
        }
        let outputs = session
            .run(inputs)
            .unwrap_or_else(|error| panic!("{context}: {error}"));
        worst = f64::max(worst, compare(&context, case, step, &outputs, tolerance));
        past = cache(&outputs);
    }
    worst
}

fn steps_are_the_whole(kind: EngineKind) {
    let engine = ENGINES.into_iter().find(|it| it.kind == kind).unwrap();
    for gather in Gather::ALL {
        let (mut worst, mut runs) = (0.0, 0);
        for fixture in decoders() {
            let mut sessions = HashMap::new();
            for case in &fixture.cases {
                let context = format!("{engine}, {gather}, {}, {}", fixture.name, case.name);
                let graph = cached(case, gather);
                let (_, session) = sessions.entry(graph).or_insert_with_key(|graph| {
                    let (folder, path) = artifact(&fixture.folder, fixture.head, graph, 17);
                    (folder, engine.session(&path))
                });
                for steps in splits(length(case)) {
                    let error = follow(&context, session, case, &steps, engine.tolerance());
                    worst = f64::max(worst, error);
                    runs += 1;
                }
            }
        }
        assert!(runs > 200, "only {runs} splits were compared");
        println!("{engine}, {gather}: {runs} splits, worst {worst:.1e} of the largest magnitude");
    }
}

#[test]
fn onnx_runtime_gives_in_steps_what_transformers_gives_at_once() {
    steps_are_the_whole(EngineKind::OrtCpu);
}

#[test]
fn openvino_gives_in_steps_what_transformers_gives_at_once() {
    steps_are_the_whole(EngineKind::OpenVinoCpu);
}

#[test]
fn tract_gives_in_steps_what_transformers_gives_at_once() {
    steps_are_the_whole(EngineKind::Tract);
}
