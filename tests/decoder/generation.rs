//! Generated tokens.

use ndarray::array;
use nezha_graphs::{GraphOptions, Head};
use nezha_runtime::{Decoder, DecoderError, Finish, GenerationOptions, Session, Strategy};
use testkit::compare::pairs;
use testkit::engines::{ENGINES, artifact, session};
use testkit::fixtures::fixture;

use super::{beam, cached, greedy_cases, ids, masked_lm, options, sample};

#[test]
fn generated_tokens_are_those_of_transformers_without_a_cache() {
    for graph in [cached(), cached().mask_positions(true)] {
        let (_folder, path) = masked_lm("decoder-causal", &graph);
        for engine in ENGINES {
            let session = engine.session(&path);
            for (prompts, expected) in greedy_cases() {
                for strategy in [Strategy::Greedy, beam(1, 1.0), sample(Some(1), None, 3)] {
                    let context = format!("{engine}, {strategy:?}, {graph:?}");
                    let mut decoder = Decoder::new(&session).unwrap();
                    let found = decoder.generate(&prompts, &options(strategy)).unwrap();
                    assert!(
                        found.iter().all(|it| it.finish == Finish::Length),
                        "{context}"
                    );
                    assert_eq!(ids(found), expected, "{context}");
                }
            }
        }
    }
}

#[test]
fn a_sequence_ends_at_its_eos_and_the_others_go_on() {
    let (_folder, path) = masked_lm("decoder-causal", &cached());
    let (prompts, whole) = greedy_cases()
        .into_iter()
        .find(|it| it.0.len() == 2)
        .unwrap();
    let eos = whole[0][4];
    assert_ne!(
        whole[0].iter().position(|id| *id == eos),
        whole[1].iter().position(|id| *id == eos)
    );
    for engine in ENGINES {
        let session = engine.session(&path);
        for strategy in [Strategy::Greedy, beam(1, 1.0)] {
            let options = options(strategy).eos(vec![eos]);
            let found = Decoder::new(&session)
                .unwrap()
                .generate(&prompts, &options)
                .unwrap();
            let context = format!("{engine}, {options:?}");
            for (whole, found) in pairs(&context, &whole, found) {
                let end = whole.iter().position(|id| *id == eos);
                let expected = &whole[..end.map_or(whole.len(), |end| end + 1)];
                assert_eq!(found.ids, expected, "{context}");
                assert_eq!(found.finish == Finish::Eos, end.is_some(), "{context}");
            }
        }
    }
}

#[test]
fn a_seed_draws_the_same_tokens_whatever_else_is_in_the_batch() {
    let (_folder, path) = masked_lm("decoder-causal", &cached());
    let prompts = vec![vec![9, 29, 1], vec![55, 58, 4, 30, 2], vec![7]];
    for strategy in [
        |seed| sample(Some(10), None, seed),
        |seed| sample(None, Some(0.8), seed),
        |seed| sample(None, None, seed),
    ] {
        let drawn = ENGINES.map(|engine| {
            let session = engine.session(&path);
            let draw = |prompts: &[Vec<u32>], seed| {
                let mut decoder = Decoder::new(&session).unwrap();
                ids(decoder.generate(prompts, &options(strategy(seed))).unwrap())
            };
            let all = draw(&prompts, 11);
            assert_eq!(all, draw(&prompts, 11), "{engine}: the same seed");
            assert_ne!(all, draw(&prompts, 12), "{engine}: another seed");
            assert_eq!(all[..1], draw(&prompts[..1], 11), "{engine}: alone");
            all
        });
        for (engine, tokens) in ENGINES.iter().zip(&drawn) {
            assert_eq!(*tokens, drawn[0], "{engine}, {:?}", strategy(11));
        }
    }
}

fn error(session: &Session, prompts: &[Vec<u32>], options: &GenerationOptions) -> String {
    let mut decoder = Decoder::new(session).unwrap();
    decoder.generate(prompts, options).unwrap_err().to_string()
}

#[test]
fn what_can_not_be_generated_is_refused_by_name() {
    let (_folder, path) = masked_lm("decoder-causal", &cached());
    let session_with_cache = session(&path, "tract");
    let prompt = [vec![1]];
    let fails = |options: GenerationOptions| error(&session_with_cache, &prompt, &options);
    for (strategy, expected) in [
        (sample(Some(0), None, 0), "top_k is 0, expected at least 1"),
        (
            sample(None, Some(0.0), 0),
            "top_p is 0, expected above 0 and at most 1",
        ),
        (
            sample(None, Some(1.1), 0),
            "top_p is 1.1, expected above 0 and at most 1",
        ),
        (beam(0, 1.0), "width is 0, expected at least 1"),
        (
            beam(2, f64::NAN),
            "length_penalty is NaN, expected a finite number",
        ),
    ] {
        assert_eq!(fails(options(strategy)), expected);
    }
    let none = options(Strategy::Greedy).max_new_tokens(0);
    assert_eq!(fails(none), "max_new_tokens is 0, expected at least 1");
    assert_eq!(
        error(
            &session_with_cache,
            &[vec![1], vec![]],
            &options(Strategy::Greedy)
        ),
        "prompt 1 is empty: expected at least one token"
    );

    let (_folder, path) = masked_lm("decoder-causal", &GraphOptions::default());
    let whole = session(&path, "tract");
    assert!(matches!(Decoder::new(&whole), Err(DecoderError::NoCache)));

    let (_folder, path) = artifact(
        &fixture("decoder-causal/base").folder,
        Head::Base,
        &cached(),
        17,
    );
    let base = session(&path, "tract");
    let mut decoder = Decoder::new(&base).unwrap();
    assert!(matches!(
        decoder.step(array![[1]]),
        Err(DecoderError::NoLogits)
    ));
    let states = decoder.run(array![[1, 2]], array![[1, 1]]).unwrap();
    let states = states.array::<f32>("last_hidden_state").unwrap();
    assert_eq!(states.shape(), [1, 2, 16]);
}
