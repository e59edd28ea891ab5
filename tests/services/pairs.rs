//! A mask with a row for each token, as UniLM has it: what transformers answers to the masks that it has
//! a number for each token of, and the reference's answers to all others.

use ndarray::{Array2, Array3, ArrayD, Axis};
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::reference::{Inputs, Reference, ReferenceError, ReferenceOptions};
use nezha_graphs::{Config, GraphOptions, Head, MaskSource, Signature};
use nezha_runtime::{EngineOptions, Tensors};
use testkit::compare::assert_close;
use testkit::engines::{ENGINES, artifact, options, tensors};
use testkit::fixtures::{Case, Fixture, Tensor, fixture};

/// [batch, sequence, sequence]: the mask of the case, or all tokens, in every row; up to the row's own
/// token where it is causal.
fn rows(case: &Case, causal: bool) -> ArrayD<i64> {
    let Some(Tensor::I64(ids)) = case.inputs.get("input_ids") else {
        panic!("{}: no ids", case.name);
    };
    let mask = match case.inputs.get("attention_mask") {
        Some(Tensor::I64(mask)) => mask.clone(),
        _ => ArrayD::ones(ids.shape()),
    };
    let mask: Array2<i64> = mask.into_dimensionality().unwrap();
    let (batch, length) = mask.dim();
    let at = |(text, row, column)| mask[[text, column]] * i64::from(!causal || column <= row);
    Array3::from_shape_fn((batch, length, length), at).into_dyn()
}

/// The cases of plain ids.
fn cases(fixture: &Fixture) -> Vec<&Case> {
    let plain = |case: &&Case| {
        let takes = |name: &str| case.inputs.contains_key(name);
        takes("input_ids") && !takes("encoder_hidden_states") && !case.is_generation()
    };
    let found: Vec<&Case> = fixture.cases.iter().filter(plain).collect();
    assert!(found.len() > 1, "{}", fixture.name);
    found
}

#[test]
fn rows_that_say_what_a_mask_says_give_what_transformers_gives() {
    for (name, causal) in [
        ("reach-4/base", false),
        ("reach-1/token-classification", false),
        ("reach-4/sequence-classification", false),
        ("decoder-causal/masked-lm", true),
    ] {
        let fixture = fixture(name);
        for case in cases(&fixture) {
            let graph = options(case).mask(MaskSource::Pairs);
            let (_folder, path) = artifact(&fixture.folder, fixture.head, &graph, 17);
            for engine in ENGINES {
                let mut inputs: Tensors = tensors(&case.inputs);
                inputs.remove("attention_mask");
                inputs.insert("self_attention_mask", rows(case, causal));
                let found = engine.session(&path).run(inputs).unwrap();
                let context = format!("{name}/{}, {engine}", case.name);
                for (output, expected) in case.answers() {
                    let found = found.array::<f32>(output).unwrap();
                    assert_close(&context, output, expected, found, engine.tolerance());
                }
            }
        }
    }
}

#[test]
fn unilms_mask_is_verified_in_every_engine_with_a_cache_and_without() {
    let pairs = || GraphOptions::default().mask(MaskSource::Pairs);
    for (name, graph) in [
        ("reach-4/masked-lm", pairs().attentions(true)),
        ("reach-4/multiple-choice", pairs().int32_inputs(true)),
        ("reach-64/next-sentence", pairs()),
        ("decoder-causal/masked-lm", pairs().kv_cache(true)),
    ] {
        let fixture = fixture(name);
        let (_folder, path) = artifact(&fixture.folder, fixture.head, &graph, 17);
        let checkpoint = Checkpoint::open(&fixture.folder, &OpenOptions::default()).unwrap();
        let engines = ENGINES.map(|it| it.kind);
        let options = EngineOptions::default();
        let certificate = nezha_verify::verify(&path, &checkpoint, &engines, &options).unwrap();
        assert!(certificate.passed, "{name}: {}", certificate.to_json());
    }
}

#[test]
fn a_token_that_sees_itself_alone_is_answered_as_if_it_were_alone() {
    let fixture = fixture("reach-4/base");
    let checkpoint = Checkpoint::open(&fixture.folder, &OpenOptions::default()).unwrap();
    let reference = Reference::load(&checkpoint).unwrap();
    let run = |inputs: Inputs| reference.run(Head::Base, &ReferenceOptions::default(), &inputs);
    let named = |name: &str, array: ArrayD<i64>| (name.to_owned(), array.into());
    let ids = Array2::from_shape_vec((1, 3), vec![5_i64, 7, 9]).unwrap();
    let alone = Array2::<i64>::eye(3).insert_axis(Axis(0)).into_dyn();
    let together = run(Inputs::from([
        named("input_ids", ids.clone().into_dyn()),
        named("self_attention_mask", alone.clone()),
    ]))
    .unwrap();
    for (place, id) in ids.iter().enumerate() {
        let id = ArrayD::from_elem(vec![1, 1], *id);
        let expected = run(Inputs::from([named("input_ids", id)])).unwrap();
        let found = together["last_hidden_state"].index_axis(Axis(1), place);
        let expected = expected["last_hidden_state"].index_axis(Axis(1), 0);
        let context = format!("token {place}");
        assert_close(&context, "last_hidden_state", &expected, &found, 1e-12);
    }
    let both = run(Inputs::from([
        named("input_ids", ids.clone().into_dyn()),
        named("attention_mask", ArrayD::ones(vec![1, 3])),
        named("self_attention_mask", alone),
    ]));
    assert!(matches!(both, Err(ReferenceError::TwoMasks)), "{both:?}");
}

#[test]
fn texts_for_measurements_fill_a_mask_of_pairs_up_to_their_ends() {
    let config = Config::from_json(r#"{"vocab_size": 50, "num_hidden_layers": 1}"#).unwrap();
    let graph = GraphOptions::default().mask(MaskSource::Pairs);
    let texts = vec![vec![1_u32, 2, 3], vec![4, 5]];
    for (head, shape) in [
        (Head::Base, vec![2, 3, 3]),
        (Head::MultipleChoice, vec![2, 2, 3, 3]),
    ] {
        let ports = Signature::new(&config, head, &graph).inputs;
        let given = nezha_verify::texts::tensors(&ports, &texts).unwrap();
        let mask = given.array::<i64>("self_attention_mask").unwrap();
        assert_eq!(mask.shape(), shape, "{head}");
        let ones = mask.iter().sum::<i64>() as usize;
        let choices = shape.len() - 2;
        assert_eq!(ones, choices * (3 * 3 + 3 * 2), "{head}");
    }
}
