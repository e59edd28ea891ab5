//! The mask's least float is −∞ in half precision, and −∞ of a row that sees nothing is NaN.

use ndarray::Array2;
use nezha_graphs::{GraphOptions, Head, Precision};
use nezha_runtime::Tensors;

use crate::artifacts::{artifact_in, session};

#[test]
fn a_row_that_sees_nothing_attends_evenly_in_half_precision() {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/models/nezha-tiny-zh");
    let graph = GraphOptions {
        attentions: true,
        ..GraphOptions::default()
    };
    let head = Head::Base;
    let (_folder, path) = artifact_in(Precision::Fp16, model.as_ref(), head, &graph, 17);
    let ids = Array2::from_shape_fn((2, 5), |(_, column)| 2000 + 31 * column as i64);
    let mask = Array2::from_shape_fn((2, 5), |(row, column)| i64::from(row == 0 && column < 4));
    for engine in ["ort", "tract"] {
        let inputs = Tensors::from([
            ("input_ids", ids.clone().into_dyn().into()),
            ("attention_mask", mask.clone().into_dyn().into()),
        ]);
        let outputs = session(&path, engine).run(inputs).unwrap();
        for (name, _) in outputs.iter() {
            let array = outputs.array::<f32>(name).unwrap();
            for (index, value) in array.indexed_iter() {
                let index = ndarray::Dimension::slice(&index);
                assert!(value.is_finite(), "{engine}: {name}{index:?} is {value}");
                match (name.starts_with("attentions"), index) {
                    (true, [1, ..]) => assert!(
                        (value - 0.2).abs() < 1e-6,
                        "{engine}: {name}{index:?} is {value}, not a fifth"
                    ),
                    (true, [0, .., 4]) => {
                        assert_eq!(*value, 0.0, "{engine}: {name}{index:?} is masked");
                    }
                    _ => {}
                }
            }
        }
    }
}
