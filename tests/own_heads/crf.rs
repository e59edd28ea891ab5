//! A CRF over the scores of tokens: pytorch-crf's paths, and a trained model's labels.

use ndarray::{Ix2, Ix3};
use nezha_graphs::{Head, Precision};
use nezha_runtime::task::Viterbi;
use testkit::engines::{ENGINES, tensors};
use testkit::fixtures::Tensor;

use super::all;

#[test]
fn paths_and_their_scores_are_those_of_pytorch_crf() {
    let own = all()
        .into_iter()
        .find(|it| it.name == "linear-crf")
        .unwrap();
    let (_folder, model) = own.artifact(Precision::Fp32);
    for engine in ENGINES {
        let session = engine.session(&model);
        // What the runtime knows is what the artifact carries.
        let Some(Head::Own(head)) = session.metadata().map(|it| it.head) else {
            panic!("no head of its own in {}", model.display());
        };
        let output = head.outputs().next().unwrap();
        let crf = output.spec.crf.as_ref().and_then(|it| it.scores.as_ref());
        let viterbi = Viterbi::new(crf.expect("scores of transitions"));
        for case in &own.cases {
            let context = format!("{engine}, {}", case.name);
            let found = session.run(tensors(&case.inputs)).unwrap();
            let logits = found.array::<f32>("logits").unwrap().view();
            let Tensor::I64(mask) = &case.inputs["attention_mask"] else {
                panic!("{context}: no mask");
            };
            let paths = viterbi.decode_batch(
                logits.into_dimensionality::<Ix3>().unwrap(),
                mask.view().into_dimensionality::<Ix2>().unwrap(),
            );
            let (Tensor::I64(expected), Tensor::F32(scores)) =
                (&case.outputs["path"], &case.outputs["path_score"])
            else {
                panic!("{context}: no path");
            };
            assert_eq!(paths.len(), expected.shape()[0], "{context}");
            for (text, path) in paths.iter().enumerate() {
                // Padding has the label -1.
                let row = expected.index_axis(ndarray::Axis(0), text);
                let labels: Vec<i64> = row.iter().copied().filter(|it| *it >= 0).collect();
                let found: Vec<i64> = path.labels.iter().map(|it| *it as i64).collect();
                assert_eq!(found, labels, "{context}, text {text}");
                let (score, expected) = (path.score, scores[[text]]);
                let near = (score - expected).abs() < 1e-4 * expected.abs().max(1.0);
                assert!(near, "{context}, text {text}: {score} for {expected}");
            }
        }
    }
}
