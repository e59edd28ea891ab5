//! The runtime's `Decoder`, step by step.

use ndarray::{Array2, Array3, Axis, Ix3, array, s};
use nezha_runtime::{Decoder, Tensors};
use testkit::compare::{Tolerance, assert_near};
use testkit::engines::ENGINES;
use testkit::fixtures::{Case, Fixture, Tensor, fixture};

use super::{cached, int64, masked_lm};

fn float32(case: &Case, name: &str) -> Array3<f32> {
    match case.inputs.get(name).or_else(|| case.outputs.get(name)) {
        Some(Tensor::F32(array)) => array.clone().into_dimensionality().unwrap(),
        other => panic!("{name} is no float32: {other:?}"),
    }
}

fn case(fixture: &Fixture, name: &str) -> usize {
    let mut cases = fixture.cases.iter();
    cases.position(|it| it.name == name).unwrap()
}

fn row_of(logits: &Array3<f32>, column: usize) -> Array2<f32> {
    logits.index_axis(Axis(1), column).to_owned()
}

#[test]
fn a_step_reads_the_last_real_token_of_each_row() {
    let fixture = fixture("decoder-causal/masked-lm");
    let padded = &fixture.cases[case(&fixture, "padded")];
    let [ids, mask] = ["input_ids", "attention_mask"].map(|name| int64(padded, name).unwrap());
    let (_folder, path) = masked_lm("decoder-causal", &cached());
    for engine in ENGINES {
        let session = engine.session(&path);
        // Not transformers' answer: that has token types, which steps leave at zero.
        let whole = Tensors::from([
            ("input_ids", ids.clone().into()),
            ("attention_mask", mask.clone().into()),
        ]);
        let whole = session.run(whole).unwrap();
        let whole = whole.array::<f32>("logits").unwrap().clone();
        let whole = whole.into_dimensionality::<Ix3>().unwrap();
        let found = Decoder::new(&session)
            .unwrap()
            .step_masked(ids.clone(), mask.clone())
            .unwrap();
        for (row, mask) in mask.outer_iter().enumerate() {
            let last = mask.iter().rposition(|it| *it == 1).unwrap();
            let (expected, found) = (whole.slice(s![row, last, ..]), found.slice(s![row, ..]));
            let context = format!("{engine}, row {row}");
            let within = Tolerance::Within(10.0 * engine.tolerance());
            assert_near(&context, "logits", &expected, &found, within);
        }
    }
}

#[test]
fn what_the_encoder_gave_is_projected_once_and_cached() {
    let fixture = fixture("decoder-cross-attention/masked-lm");
    let defaults = &fixture.cases[case(&fixture, "defaults")];
    let states = float32(defaults, "encoder_hidden_states");
    let ids = int64(defaults, "input_ids").unwrap();
    let expected = float32(defaults, "logits");
    let mask = Array2::ones((states.dim().0, states.dim().1));
    let (_folder, path) = masked_lm("decoder-cross-attention", &cached());
    for engine in ENGINES {
        let within = Tolerance::Within(20.0 * engine.tolerance());
        let session = engine.session(&path);
        let mut decoder = Decoder::new(&session)
            .unwrap()
            .with_encoder(states.clone(), mask.clone());
        for again in 0..2 {
            for column in 0..ids.ncols() {
                let found = decoder
                    .step(ids.slice(s![.., column..=column]).to_owned())
                    .unwrap();
                let context = format!("{engine}, token {column}, run {again}");
                let expected = row_of(&expected, column);
                assert_near(&context, "logits", &expected, &found, within);
            }
            decoder.reset();
        }
        // Rows that trade places take their encoder with them.
        decoder.step(ids.slice(s![.., ..3]).to_owned()).unwrap();
        decoder.select(&[1, 0, 1]).unwrap();
        let next = ids.slice(s![.., 3..4]).select(Axis(0), &[1, 0, 1]);
        let found = decoder.step(next).unwrap();
        let expected = row_of(&expected, 3).select(Axis(0), &[1, 0, 1]);
        let context = format!("{engine}, rows that traded places");
        assert_near(&context, "logits", &expected, &found, within);
    }
}

#[test]
fn a_step_that_fails_leaves_the_cache_as_it_was() {
    let (_folder, path) = masked_lm("decoder-causal", &cached());
    for engine in ENGINES {
        let session = engine.session(&path);
        let mut decoder = Decoder::new(&session).unwrap();
        assert!(
            decoder.step(array![[1, 99, 2]]).is_err(),
            "{engine}: before the first step"
        );
        decoder.step(array![[9, 29], [1, 55]]).unwrap();
        let mut undisturbed = decoder.clone();
        let errors = [
            decoder.step(array![[59], [1]]).unwrap_err(),
            decoder.step(array![[1]]).unwrap_err(),
            decoder
                .step_masked(array![[1], [2]], array![[1], [0]])
                .unwrap_err(),
            decoder.select(&[0, 2]).unwrap_err(),
        ];
        assert_eq!(
            errors.map(|it| it.to_string()),
            [
                "input 'input_ids' is 59 at [0, 0], expected 0 to 58",
                "the step has 1 rows, the cache has 2",
                "row 1 has no token in this step: its mask is 0 everywhere",
                "there is no row 2: the cache has 2",
            ],
            "{engine}"
        );
        assert_eq!(decoder.len(), 2);
        let next = array![[3], [4]];
        let expected = undisturbed.step(next.clone()).unwrap();
        assert_eq!(decoder.step(next).unwrap(), expected, "{engine}");
    }
}
