//! Inputs and options that make no sense, each refused by its name.

use ndarray::{Array2, array};
use nezha_graphs::{Config, GraphOptions, Head, Pooling, ProblemType};
use nezha_runtime::{Tensor, Tensors};
use testkit::engines::{artifact, session};

use super::reach_4;

#[test]
fn positions_and_labels_that_are_none_are_refused_before_the_engine() {
    let fixture = reach_4(Head::MaskedLm);
    let ids = || ("input_ids", array![[1_i64, 2, 3], [4, 5, 6]].into());
    let few = GraphOptions::default().mask_positions(true);
    let (_folder, path) = artifact(&fixture.folder, fixture.head, &few, 17);
    let session_of_few = session(&path, "tract");
    for (positions, expected) in [
        (
            array![[0, 0], [2, 0]],
            "input 'mask_positions' is 2 at [1, 0], expected 0 to 1",
        ),
        (
            array![[0, 3], [1, 0]],
            "input 'mask_positions' is 3 at [0, 1], expected 0 to 2",
        ),
        (
            array![[0, -1], [1, 0]],
            "input 'mask_positions' is -1 at [0, 1], expected 0 to 2",
        ),
    ] {
        let positions: Array2<i64> = positions;
        let inputs = Tensors::from([ids(), ("mask_positions", positions.into())]);
        assert_eq!(
            session_of_few.run(inputs).unwrap_err().to_string(),
            expected
        );
    }

    let with_loss = GraphOptions::default().loss(true);
    let (_folder, path) = artifact(&fixture.folder, fixture.head, &with_loss, 17);
    let session_with_loss = session(&path, "tract");
    for (label, expected) in [
        (46, None),
        (-100, None),
        (47, Some("input 'labels' is 47 at [1, 2], expected 0 to 46")),
        (-1, Some("input 'labels' is -1 at [1, 2], expected 0 to 46")),
    ] {
        let labels = array![[1_i64, 2, 3], [4, 5, label]];
        let inputs = Tensors::from([ids(), ("labels", labels.into())]);
        let error = session_with_loss.run(inputs).err().map(|it| it.to_string());
        assert_eq!(error.as_deref(), expected);
    }
}

#[test]
fn one_head_mask_stands_for_every_layers() {
    let fixture = reach_4(Head::Base);
    let graph = GraphOptions::default().head_mask(true);
    let (_folder, path) = artifact(&fixture.folder, fixture.head, &graph, 17);
    let session = session(&path, "tract");
    let run = |mask: Tensor| {
        let ids = ("input_ids", array![[1_i64, 2, 3]].into());
        session.run(Tensors::from([ids, ("head_mask", mask)]))
    };
    let one = run(array![0.5_f32, 1.0].into()).unwrap();
    let each = run(array![[0.5_f32, 1.0], [0.5, 1.0]].into()).unwrap();
    assert_eq!(one, each);
    assert_eq!(
        run(array![0.5_f32, 1.0, 1.0].into())
            .unwrap_err()
            .to_string(),
        "input 'head_mask' has shape [3], expected head_mask: float32[2, 2]"
    );
}

#[test]
fn options_that_a_head_can_not_have_are_refused_by_name() {
    let on = GraphOptions::default;
    let pooled = || on().pooling(Pooling::Cls);
    let encoder = Config::from_json(r#"{"vocab_size": 50, "num_labels": 1}"#).unwrap();
    let decoder = Config::from_json(r#"{"vocab_size": 50, "is_decoder": true}"#).unwrap();
    #[rustfmt::skip]
    let refused = [
        (&encoder, Head::Base, on().loss(true),
         "option 'loss' has no effect on the base head: it is for pretraining, masked-lm, next-sentence, sequence-classification, multiple-choice, token-classification, question-answering"),
        (&encoder, Head::MaskedLm, pooled(),
         "option 'pooling' has no effect on the masked-lm head: it is for base"),
        (&encoder, Head::Base, on().mask_positions(true),
         "option 'mask_positions' has no effect on the base head: it is for masked-lm"),
        (&encoder, Head::Pretraining, on().top_k(1),
         "option 'top_k' has no effect on the pretraining head: it is for masked-lm"),
        (&encoder, Head::QuestionAnswering, on().probabilities(true),
         "option 'probabilities' has no effect on the question-answering head: it is for masked-lm, next-sentence, sequence-classification, multiple-choice, token-classification"),
        (&decoder, Head::NextSentence, on().kv_cache(true),
         "option 'kv_cache' has no effect on the next-sentence head: it is for base, masked-lm"),
        (&encoder, Head::Base, on().problem_type(ProblemType::Regression),
         "option 'problem_type' has no effect on the base head: it is for sequence-classification"),
        (&encoder, Head::MaskedLm, on().kv_cache(true),
         "option 'kv_cache' needs a config with \"is_decoder\": true"),
        (&encoder, Head::Base, on().normalize(true),
         "option 'normalize' needs 'pooling'"),
        (&decoder, Head::Base, pooled().kv_cache(true),
         "options 'pooling' and 'kv_cache' exclude each other"),
        (&encoder, Head::MaskedLm, on().mask_positions(true).loss(true),
         "options 'mask_positions' and 'loss' exclude each other"),
        (&encoder, Head::SequenceClassification, on().probabilities(true),
         "option 'probabilities' and a regression exclude each other"),
        (&encoder, Head::MaskedLm, on().top_k(0),
         "option 'top_k' is 0, expected 1 to 50, the size of the vocabulary"),
        (&encoder, Head::MaskedLm, on().top_k(51),
         "option 'top_k' is 51, expected 1 to 50, the size of the vocabulary"),
    ];
    for (config, head, options, expected) in refused {
        let error = options.check(config, head).unwrap_err().to_string();
        assert_eq!(error, expected);
    }
    let everything = on()
        .kv_cache(true)
        .head_mask(true)
        .loss(true)
        .top_k(50)
        .probabilities(true);
    assert_eq!(everything.check(&decoder, Head::MaskedLm), Ok(()));
}
