//! `--pooling` and `--normalize`.

use ndarray::{Array2, ArrayD, Ix2, Ix3};
use nezha_graphs::{GraphOptions, Head, Pooling};
use testkit::compare::assert_close;
use testkit::engines::{ENGINES, artifact, tensors};
use testkit::fixtures::{Case, Tensor};

use super::{cases, f32s, float32, of_heads, reach_4};

fn attention_mask(case: &Case, shape: (usize, usize)) -> Array2<i64> {
    match case.inputs.get("attention_mask") {
        Some(Tensor::I64(mask)) => mask.clone().into_dimensionality().unwrap(),
        _ => Array2::ones(shape),
    }
}

/// What pooling makes of transformers' last hidden state.
fn pooled(case: &Case, pooling: Pooling) -> ArrayD<f64> {
    let x = float32(case, "last_hidden_state");
    let x = x.into_dimensionality::<Ix3>().unwrap();
    let (batch, sequence, hidden) = x.dim();
    let mask = attention_mask(case, (batch, sequence));
    let of_row = |row: usize, column: usize| {
        let seen = (0..sequence).filter(|it| mask[[row, *it]] == 1);
        let values = seen.map(|token| x[[row, token, column]]);
        match pooling {
            Pooling::Cls => x[[row, 0, column]],
            Pooling::Mean => values.clone().sum::<f64>() / values.count() as f64,
            Pooling::Max => values.fold(f64::NEG_INFINITY, f64::max),
        }
    };
    Array2::from_shape_fn((batch, hidden), |(row, column)| of_row(row, column)).into_dyn()
}

fn normalized(x: ArrayD<f64>) -> ArrayD<f64> {
    let mut x = x.into_dimensionality::<Ix2>().unwrap();
    for mut row in x.outer_iter_mut() {
        let norm = row.iter().map(|it| it * it).sum::<f64>().sqrt();
        row /= norm;
    }
    x.into_dyn()
}

#[test]
fn pooling_reads_the_tokens_that_are_not_padding() {
    for fixture in of_heads(&[Head::Base]) {
        for (pooling, normalize) in Pooling::ALL
            .into_iter()
            .flat_map(|it| [(it, false), (it, true)])
        {
            let graph = GraphOptions::default()
                .pooling(pooling)
                .normalize(normalize);
            let (_folder, path) = artifact(&fixture.folder, fixture.head, &graph, 17);
            for engine in ENGINES {
                let session = engine.session(&path);
                // A row without any token has neither mean nor maximum.
                for case in cases(&fixture).filter(|it| it.name != "masked-row") {
                    let context = format!("{engine}, {}, {}, {pooling}", fixture.name, case.name);
                    let found = session.run(tensors(&case.inputs)).unwrap();
                    assert_eq!(found.iter().len(), 1, "{context}: embeddings alone");
                    let expected = match normalize {
                        true => normalized(pooled(case, pooling)),
                        false => pooled(case, pooling),
                    };
                    let found = f32s(&found, "embeddings");
                    assert_close(
                        &context,
                        "embeddings",
                        &expected,
                        &found,
                        engine.tolerance(),
                    );
                }
            }
        }
    }
}

#[test]
fn a_text_without_any_token_gives_numbers() {
    let fixture = &reach_4(Head::Base);
    for pooling in Pooling::ALL {
        let graph = GraphOptions::default().pooling(pooling).normalize(true);
        let (_folder, path) = artifact(&fixture.folder, fixture.head, &graph, 17);
        let case = cases(fixture).find(|it| it.name == "masked-row").unwrap();
        for engine in ENGINES {
            let found = engine.session(&path).run(tensors(&case.inputs)).unwrap();
            let found = f32s(&found, "embeddings");
            assert!(
                found.iter().all(|it| it.is_finite()),
                "{engine}, {pooling}: {found}"
            );
        }
    }
}

#[test]
fn every_opset_has_its_own_form_of_the_maximum() {
    let fixture = &reach_4(Head::Base);
    let graph = GraphOptions::default().pooling(Pooling::Max);
    for opset in [17, 18, 20, 23] {
        let (_folder, path) = artifact(&fixture.folder, fixture.head, &graph, opset);
        let case = cases(fixture).find(|it| it.name == "padded").unwrap();
        for engine in ENGINES {
            let context = format!("{engine}, opset {opset}");
            let found = engine.session(&path).run(tensors(&case.inputs)).unwrap();
            let found = f32s(&found, "embeddings");
            let expected = pooled(case, Pooling::Max);
            assert_close(
                &context,
                "embeddings",
                &expected,
                &found,
                engine.tolerance(),
            );
        }
    }
}
