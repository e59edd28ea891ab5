//! An int8 answer is the same bits whatever stands beside it.

use ndarray::{Array2, ArrayD, ArrayViewD, Axis, Slice};
use nezha_graphs::{GraphOptions, Head, Pooling, Precision, error_chain};
use nezha_runtime::{EngineKind, Session, Tensors};
use testkit::compare::{Tolerance, assert_near};
use testkit::engines::artifact_in;
use testkit::repository;

/// Lengths below, at and above M = 64, where relative positions begin to be clipped.
const LENGTHS: [usize; 7] = [2, 9, 33, 64, 65, 130, 200];

/// Token ids of a text that nobody wrote.
fn text(length: usize) -> Vec<i64> {
    (0..length as i64)
        .map(|i| 671 + (i * 7919 + length as i64 * 104_729) % 7000)
        .collect()
}

/// The texts as one batch, padded to a length.
fn batch(texts: &[Vec<i64>], width: usize) -> Tensors {
    let shape = (texts.len(), width);
    let ids = Array2::from_shape_fn(shape, |(row, column)| {
        texts[row].get(column).copied().unwrap_or(0)
    });
    let mask = Array2::from_shape_fn(shape, |(row, column)| i64::from(column < texts[row].len()));
    Tensors::from([
        ("input_ids", ids.into_dyn().into()),
        ("attention_mask", mask.into_dyn().into()),
    ])
}

/// One row of an output, without what stands at padding.
fn row(output: &ArrayD<f32>, row: usize, length: usize) -> ArrayViewD<'_, f32> {
    let mut row = output.index_axis(Axis(0), row);
    if row.ndim() == 2 {
        row.slice_axis_inplace(Axis(0), Slice::from(..length));
    }
    row
}

fn answers(session: &Session, texts: &[Vec<i64>], width: usize) -> Tensors {
    session.run(batch(texts, width)).unwrap()
}

/// Fails where the outputs for `text` differ by a bit.
fn assert_same(context: &str, alone: &Tensors, other: &Tensors, place: usize, length: usize) {
    for (name, _) in alone.iter() {
        let [alone, other] = [alone, other].map(|it| it.array::<f32>(name).unwrap());
        let (alone, other) = (row(alone, 0, length), row(other, place, length));
        assert_near(context, name, &alone, &other, Tolerance::Bits);
    }
}

fn check(model: &str, head: Head, graph: &GraphOptions) {
    let folder = repository("models").join(model);
    let (_folder, path) = artifact_in(Precision::Int8, &folder, head, graph, 17);
    // On every core, which share a product: also that must not be seen in an answer.
    let session = Session::builder().engine(EngineKind::OrtCpu).load(&path);
    let session = session.unwrap_or_else(|error| panic!("{}", error_chain(&error)));
    let texts: Vec<Vec<i64>> = LENGTHS.into_iter().map(text).collect();
    let longest = texts.iter().map(Vec::len).max().unwrap_or(0);
    let together = answers(&session, &texts, longest + 3);
    for (place, text) in texts.iter().enumerate() {
        let length = text.len();
        let one = std::slice::from_ref(text);
        let alone = answers(&session, one, length);
        for padding in [1, 2, 7, 8, 16, 31, 64, 100] {
            let context = format!("{model}: {length} tokens, {padding} of padding");
            let padded = answers(&session, one, length + padding);
            assert_same(&context, &alone, &padded, 0, length);
        }
        let context = format!("{model}: {length} tokens in a batch");
        assert_same(&context, &alone, &together, place, length);
        let two = [texts[0].clone(), text.clone()];
        let context = format!("{model}: {length} tokens, the second of two");
        assert_same(
            &context,
            &alone,
            &answers(&session, &two, length.max(40)),
            1,
            length,
        );
    }
}

#[test]
fn int8_hidden_states_are_the_same_bits_alone_padded_and_in_any_batch() {
    let hidden_states = GraphOptions::default().hidden_states(true);
    check("nezha-tiny-zh", Head::Base, &hidden_states);
}

#[test]
fn int8_scores_of_tokens_are_the_same_bits_alone_padded_and_in_any_batch() {
    check("nezha-tiny-zh", Head::Pretraining, &GraphOptions::default());
}

#[test]
fn int8_labels_are_the_same_bits_alone_padded_and_in_any_batch() {
    let plain = GraphOptions::default();
    check("nezha-tiny-zh-ner", Head::TokenClassification, &plain);
    let head = Head::SequenceClassification;
    check("nezha-tiny-zh-sentiment", head, &plain);
}

/// A mean is not here: it adds up numbers of any size, in an order that depends on how many.
#[test]
fn an_int8_vector_of_a_text_is_the_same_bits_alone_padded_and_in_any_batch() {
    for pooling in [Pooling::Cls, Pooling::Max] {
        let graph = GraphOptions::default().pooling(pooling).normalize(true);
        check("nezha-tiny-zh", Head::Base, &graph);
    }
}
