//! The mask's least float is −∞ in half precision, and −∞ of a row that sees nothing is NaN.

use ndarray::Array2;
use nezha_graphs::{GraphOptions, Head, Precision};
use nezha_runtime::Tensors;
use testkit::engines::{ENGINES, artifact_in};
use testkit::repository;

#[test]
fn a_row_that_sees_nothing_attends_evenly_in_half_precision() {
    let model = repository("models/nezha-tiny-zh");
    let graph = GraphOptions::default().attentions(true);
    let head = Head::Base;
    let (_folder, path) = artifact_in(Precision::Fp16, &model, head, &graph, 17);
    let ids = Array2::from_shape_fn((2, 5), |(_, column)| 2000 + 31 * column as i64);
    let mask = Array2::from_shape_fn((2, 5), |(row, column)| i64::from(row == 0 && column < 4));
    for engine in ENGINES {
        let inputs = Tensors::from([
            ("input_ids", ids.clone().into_dyn().into()),
            ("attention_mask", mask.clone().into_dyn().into()),
        ]);
        let outputs = engine.session(&path).run(inputs).unwrap();
        let (mut of_nothing, mut masked) = (0, 0);
        for (name, _) in outputs.iter() {
            let array = outputs.array::<f32>(name).unwrap();
            for (index, value) in array.indexed_iter() {
                let index = ndarray::Dimension::slice(&index);
                assert!(value.is_finite(), "{engine}: {name}{index:?} is {value}");
                match (name.starts_with("attentions"), index) {
                    (true, [1, ..]) => {
                        of_nothing += 1;
                        assert!(
                            (value - 0.2).abs() < 1e-6,
                            "{engine}: {name}{index:?} is {value}, not a fifth"
                        );
                    }
                    (true, [0, .., 4]) => {
                        masked += 1;
                        assert_eq!(*value, 0.0, "{engine}: {name}{index:?} is masked");
                    }
                    _ => {}
                }
            }
        }
        // Of 4 layers and 2 attention heads, 5 queries each.
        assert_eq!((of_nothing, masked), (4 * 2 * 25, 4 * 2 * 5), "{engine}");
    }
}
