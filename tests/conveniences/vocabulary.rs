//! `--mask-positions` and `--top-k`.

use ndarray::{Array2, ArrayD, ArrayView1, Axis, Ix3, array};
use nezha_graphs::{Config, GraphOptions, Head};
use nezha_runtime::Tensors;
use testkit::compare::{assert_close, pairs};
use testkit::engines::{ENGINES, artifact, tensors};

use super::{cases, f32s, float32, of_heads, softmax};

/// Some tokens of a batch, the last one first, one of them twice.
fn positions(batch: usize, sequence: usize) -> Array2<i64> {
    let (row, column) = (batch as i64 - 1, sequence as i64 - 1);
    array![[row, column], [0, 0], [row, column / 2], [row, column]]
}

#[test]
fn mask_positions_score_those_tokens_and_no_others() {
    for fixture in of_heads(&[Head::MaskedLm]) {
        let graph = GraphOptions::default()
            .mask_positions(true)
            .probabilities(true)
            .top_k(3);
        let (_folder, path) = artifact(&fixture.folder, fixture.head, &graph, 17);
        for engine in ENGINES {
            let session = engine.session(&path);
            for case in cases(&fixture) {
                let context = format!("{engine}, {}, {}", fixture.name, case.name);
                let all = float32(case, "logits")
                    .into_dimensionality::<Ix3>()
                    .unwrap();
                let (batch, sequence, vocabulary) = all.dim();
                let positions = positions(batch, sequence);
                let mut expected = Array2::zeros((positions.nrows(), vocabulary));
                let rows = pairs(&context, expected.outer_iter_mut(), positions.outer_iter());
                for (mut row, at) in rows {
                    let of_text = all.index_axis(Axis(0), at[0] as usize);
                    row.assign(&of_text.index_axis(Axis(0), at[1] as usize));
                }
                let expected = expected.into_dyn();
                let mut inputs = tensors(&case.inputs);
                inputs.insert("mask_positions", positions);
                let found = session.run(inputs).unwrap();
                let (logits, tolerance) = (f32s(&found, "logits"), engine.tolerance());
                assert_close(&context, "logits", &expected, &logits, tolerance);
                let p = softmax(&expected);
                let found_p = f32s(&found, "probabilities");
                assert_close(&context, "probabilities", &p, &found_p, tolerance);
                check_top(&context, &p, 3, &found, tolerance);
            }
        }
    }
}

/// The best `k` of every row, best first.
fn check_top(context: &str, p: &ArrayD<f64>, k: usize, found: &Tensors, tolerance: f64) {
    let ids = found.array::<i64>("top_ids").unwrap();
    let probabilities = f32s(found, "top_probabilities");
    let mut expected = p.shape().to_vec();
    expected.pop();
    expected.push(k);
    assert_eq!(ids.shape(), expected, "{context}");
    assert_eq!(probabilities.shape(), expected, "{context}");
    let last = Axis(p.ndim() - 1);
    let rows = p
        .lanes(last)
        .into_iter()
        .zip(ids.lanes(last))
        .zip(probabilities.lanes(last));
    for ((p, ids), probabilities) in rows {
        check_row(context, p, k, ids, probabilities, tolerance);
    }
}

fn check_row(
    context: &str,
    p: ArrayView1<f64>,
    k: usize,
    ids: ArrayView1<i64>,
    probabilities: ArrayView1<f32>,
    tolerance: f64,
) {
    let mut sorted: Vec<(usize, f64)> = p.iter().copied().enumerate().collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (place, (id, expected)) in sorted.into_iter().take(k).enumerate() {
        let (found_id, found) = (ids[place] as usize, f64::from(probabilities[place]));
        let near =
            (p[found_id] - expected).abs() < tolerance && (found - expected).abs() < tolerance;
        assert!(
            near,
            "{context}: place {place} has token {found_id} at {found}, expected {id} at {expected}"
        );
    }
    let mut different: Vec<i64> = ids.to_vec();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), k, "{context}: {ids}");
}

#[test]
fn top_k_are_the_most_probable_tokens_of_every_place() {
    for fixture in of_heads(&[Head::MaskedLm]) {
        let text = std::fs::read_to_string(fixture.folder.join("config.json")).unwrap();
        let vocabulary = Config::from_json(&text).unwrap().vocab_size;
        for k in [1, 5, vocabulary] {
            let graph = GraphOptions::default().top_k(k);
            let (_folder, path) = artifact(&fixture.folder, fixture.head, &graph, 17);
            for engine in ENGINES {
                let session = engine.session(&path);
                for case in cases(&fixture) {
                    let context = format!("{engine}, {}, {}, top {k}", fixture.name, case.name);
                    let found = session.run(tensors(&case.inputs)).unwrap();
                    let p = softmax(&float32(case, "logits"));
                    check_top(&context, &p, k, &found, engine.tolerance());
                }
            }
        }
    }
}
