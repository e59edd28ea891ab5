//! Running: both engines give the numbers that a hand computes, and no bad input reaches them.

use ndarray::{Array2, array};
use nezha_runtime::{EngineKind, SessionError, Tensor, Tensors};

use crate::tiny;

fn ids(ids: Array2<i64>) -> Tensors {
    Tensors::from([("input_ids", ids.into())])
}

#[test]
fn both_engines_compute_the_embeddings_in_the_graphs_order() {
    let file = tiny::save(&tiny::exported_embeddings());
    let mut inputs = ids(array![[1, 4], [2, 0]]);
    inputs.insert("attention_mask", array![[1_i64, 1], [1, 0]]);
    inputs.insert("token_type_ids", array![[0_i64, 1], [0, 0]]);
    for kind in tiny::ENGINES {
        let outputs = tiny::load(&file, kind).run(inputs.clone()).unwrap();
        let names: Vec<&str> = outputs.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["last_hidden_state", "tokens"], "{kind}");
        let expected = array![[[10_f32, 11.], [140., 141.]], [[20., 21.], [0., 0.]]];
        assert_eq!(
            outputs.get("last_hidden_state"),
            Some(&expected.into()),
            "{kind}"
        );
        assert_eq!(
            outputs.get("tokens"),
            Some(&array![2_i64, 1].into()),
            "{kind}"
        );
    }
}

#[test]
fn a_missing_mask_is_ones_and_missing_types_are_zeros() {
    let file = tiny::save(&tiny::embeddings());
    for kind in tiny::ENGINES {
        let outputs = tiny::load(&file, kind).run(ids(array![[3, 1, 2]])).unwrap();
        let expected = array![[[30_f32, 31.], [10., 11.], [20., 21.]]];
        assert_eq!(
            outputs.get("last_hidden_state"),
            Some(&expected.into()),
            "{kind}"
        );
        assert_eq!(outputs.get("tokens"), Some(&array![3_i64].into()), "{kind}");
    }
}

#[test]
fn one_session_takes_every_batch_size_and_length() {
    let file = tiny::save(&tiny::embeddings());
    for kind in tiny::ENGINES {
        let session = tiny::load(&file, kind);
        for shape in [(1, 1), (3, 2), (1, 1), (2, 70), (3, 2)] {
            let outputs = session.run(ids(Array2::ones(shape))).unwrap();
            let found = outputs.array::<f32>("last_hidden_state").unwrap();
            assert_eq!(found.shape(), [shape.0, shape.1, 2], "{kind}");
            assert_eq!(
                found.sum(),
                (shape.0 * shape.1 * 21) as f32,
                "{kind} at {shape:?}"
            );
        }
    }
}

#[test]
fn threads_share_a_session() {
    let file = tiny::save(&tiny::embeddings());
    for kind in tiny::ENGINES {
        let session = tiny::load(&file, kind);
        std::thread::scope(|scope| {
            for id in 0..tiny::VOCAB_SIZE as i64 {
                let session = &session;
                scope.spawn(move || {
                    for length in 1..20 {
                        let outputs = session
                            .run(ids(Array2::from_elem((1, length), id)))
                            .unwrap();
                        let sum = outputs.array::<f32>("last_hidden_state").unwrap().sum();
                        let expected = (length as i64 * (20 * id + 1)) as f32;
                        assert_eq!(sum, expected, "{kind}, id {id}, length {length}");
                    }
                });
            }
        });
    }
}

#[test]
fn inputs_that_do_not_fit_the_signature_are_refused_by_name() {
    let file = tiny::save(&tiny::embeddings());
    let session = tiny::load(&file, EngineKind::Tract);
    let two = || Tensor::from(array![[1_i64, 2]]);
    for (inputs, expected) in [
        (
            Tensors::from([("ids", two())]),
            "there is no input 'ids'; the inputs are input_ids, attention_mask, token_type_ids",
        ),
        (
            Tensors::from([("attention_mask", two())]),
            "input 'input_ids' is missing: expected input_ids: int64[batch_size, sequence_length]",
        ),
        (
            Tensors::from([("input_ids", array![[1_f32]].into())]),
            "input 'input_ids' is float32, expected int64",
        ),
        (
            Tensors::from([("input_ids", array![1_i64].into())]),
            "input 'input_ids' has shape [1], expected \
             input_ids: int64[batch_size, sequence_length]",
        ),
        (
            Tensors::from([
                ("input_ids", two()),
                ("attention_mask", array![[1_i64]].into()),
            ]),
            "axis 1 of input 'attention_mask' is 1, expected 2 (sequence_length, from the inputs \
             before it)",
        ),
        (
            ids(Array2::zeros((0, 3))),
            "axis 0 (batch_size) of input 'input_ids' is empty: expected at least 1",
        ),
        (
            ids(Array2::zeros((3, 0))),
            "axis 1 (sequence_length) of input 'input_ids' is empty: expected at least 1",
        ),
    ] {
        assert_eq!(session.run(inputs).unwrap_err().to_string(), expected);
    }
}

#[test]
fn an_id_outside_its_embedding_table_is_named_with_its_place() {
    let file = tiny::save(&tiny::exported_embeddings());
    let session = tiny::load(&file, EngineKind::Tract);
    for (id, place) in [(5, "5 at [1, 0]"), (-1, "-1 at [1, 0]")] {
        let error = session.run(ids(array![[0, 4], [id, 0]])).unwrap_err();
        let expected = format!("input 'input_ids' is {place}, expected 0 to 4");
        assert_eq!(error.to_string(), expected);
    }
    let mut inputs = ids(array![[0, 1]]);
    inputs.insert("token_type_ids", array![[0_i64, 2]]);
    let error = session.run(inputs).unwrap_err();
    assert_eq!(
        error.to_string(),
        "input 'token_type_ids' is 2 at [0, 1], expected 0 to 1"
    );
}

#[test]
fn an_engine_that_fails_says_so_and_the_session_lives_on() {
    let file = tiny::save(&tiny::embeddings());
    // OpenVINO has zeros for an id that is outside of a table.
    for kind in [EngineKind::OrtCpu, EngineKind::Tract] {
        let session = tiny::load(&file, kind);
        let error = session.run(ids(array![[1_000_000]])).unwrap_err();
        assert!(matches!(error, SessionError::Engine(_)), "{kind}: {error}");
        assert!(
            error.to_string().starts_with(&format!("{kind} failed: ")),
            "{error}"
        );
        assert!(session.run(ids(array![[1]])).is_ok(), "{kind}");
    }
}
