//! `nezha export` from outside: what it prints, what it writes, and that engines don't see where
//! the weights are.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use ndarray::{ArrayD, IxDyn};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize_to_file};
use testkit::command::{stderr, stdout, succeeded};
use testkit::compare::{Tolerance, assert_near, pairs};
use testkit::{fixture_folder as fixture, nezha};

fn export(checkpoint: &Path, target: &Path, more: &[&str]) -> Output {
    let [checkpoint, target] = [checkpoint, target].map(|it| it.to_str().unwrap());
    nezha!([&["export", checkpoint, "-o", target], more].concat())
}

#[test]
fn every_file_is_one_aligned_line_and_skipped_heads_say_why() {
    let target = tempfile::tempdir().unwrap();
    let checkpoint = fixture("reach-4/pretraining");
    let output = succeeded(export(&checkpoint, target.path(), &["--head", "all"]));
    let lines: Vec<&str> = stdout(&output).lines().collect();
    let starts = [
        "base",
        "pretraining",
        "masked-lm",
        "next-sentence",
        "weights.",
    ];
    for (start, line) in pairs(&format!("{lines:#?}"), starts, &lines) {
        let path = target.path().join(start);
        assert!(line.starts_with(path.to_str().unwrap()), "{line}");
        assert_eq!(line.find("fp32"), lines[0].find("fp32"), "{lines:#?}");
        assert_eq!(line.len(), lines[0].len(), "{lines:#?}");
        let has_opset = line.contains("opset 17");
        assert_eq!(has_opset, start != "weights.", "{line}");
    }
    let skipped: Vec<&str> = stderr(&output).lines().collect();
    assert_eq!(skipped.len(), 4, "{skipped:#?}");
    assert!(
        skipped.contains(
            &"skipped: question-answering: not trained in a checkpoint of NezhaForPreTraining: no \
              'qa_outputs.weight' [2, 16], 'qa_outputs.bias' [2]"
        ),
        "{skipped:#?}"
    );
}

#[test]
fn several_heads_by_name_and_another_opset() {
    let target = tempfile::tempdir().unwrap();
    let checkpoint = fixture("reach-4/pretraining");
    let more = ["--head", "base", "--head", "next-sentence", "--opset", "20"];
    let output = succeeded(export(&checkpoint, target.path(), &more));
    assert_eq!(stdout(&output).matches("opset 20").count(), 2);
    assert_eq!(stderr(&output), "");
    for head in ["base", "next-sentence"] {
        assert!(target.path().join(format!("{head}.onnx")).is_file());
    }
}

#[test]
fn bad_usage_exits_with_2_and_failed_work_with_1() {
    let target = tempfile::tempdir().unwrap();
    let checkpoint = fixture("reach-4/masked-lm");
    for (more, code, expected) in [
        (&["--head", "masked"][..], 2, "unknown head 'masked'"),
        (&["--weights", "inside"], 2, "embedded"),
        (&["--hidden-act", "gulu"], 2, "supported are gelu"),
        (&["--instances", "2"], 2, "--layout triton"),
        (&["--tensorrt"], 2, "--layout triton"),
        (&["--dtype", "q8", "--storage", "fp16"], 2, "--dtype fp32"),
        (&["--dtype", "fp32,int4"], 2, "int4"),
        (&["--opset", "99"], 1, "opset 99 is not supported"),
        (&["--head", "question-answering"], 1, "qa_outputs.weight"),
        (&["--weights", "linked"], 1, "--weights external"),
    ] {
        let output = export(&checkpoint, target.path(), more);
        assert_eq!(output.status.code(), Some(code), "{more:?}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        assert_eq!(stdout(&output), "", "{more:?}");
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0, "{more:?}");
    }
    let nowhere = export(Path::new("not-there"), target.path(), &[]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(stderr(&nowhere).contains("not-there"), "{nowhere:?}");
}

#[test]
fn an_artifact_that_is_there_needs_force() {
    let target = tempfile::tempdir().unwrap();
    let checkpoint = fixture("reach-4/masked-lm");
    succeeded(export(&checkpoint, target.path(), &[]));
    let output = export(&checkpoint, target.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    let message = stderr(&output);
    assert!(message.starts_with("error: "), "{message}");
    assert!(message.contains("--force"), "{message}");
    succeeded(export(&checkpoint, target.path(), &["--force"]));
}

/// The float32 outputs of `model` for a few tokens, as tract computes them.
fn answers(model: &Path) -> BTreeMap<String, ArrayD<f32>> {
    let folder = tempfile::tempdir().unwrap();
    let [inputs, outputs] = ["in", "out"].map(|name| folder.path().join(name));
    let ids: Vec<u8> = [1i64, 7, 3, 46, 0, 5, 5, 2, 9, 11]
        .iter()
        .flat_map(|it| it.to_le_bytes())
        .collect();
    let view = TensorView::new(Dtype::I64, vec![2, 5], &ids).unwrap();
    serialize_to_file([("input_ids", view)], None, &inputs).unwrap();
    let [model, input, output] = [model, &inputs, &outputs].map(|it| it.to_str().unwrap());
    let files = ["--inputs", input, "--outputs", output];
    let engine = ["--engine", "tract"];
    succeeded(nezha!([&["run", model], &files[..], &engine].concat()));
    let bytes = fs::read(&outputs).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let answers = tensors.iter().map(|(name, view)| {
        let numbers = view.data().as_chunks::<4>().0.iter();
        let numbers = numbers.map(|it| f32::from_le_bytes(*it)).collect();
        let array = ArrayD::from_shape_vec(IxDyn(view.shape()), numbers);
        (name.to_owned(), array.unwrap())
    });
    answers.collect()
}

#[test]
fn an_engine_answers_the_same_wherever_the_weights_are() {
    let checkpoint = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors"] {
        let source = fixture("reach-4/pretraining").join(name);
        fs::copy(source, checkpoint.path().join(name)).unwrap();
    }
    let model = |weights: &str| {
        let target = match weights {
            "linked" => checkpoint.path().to_owned(),
            other => checkpoint.path().join(other),
        };
        succeeded(export(checkpoint.path(), &target, &["--weights", weights]));
        target.join("model.onnx")
    };
    let embedded = answers(&model("embedded"));
    assert_eq!(embedded.len(), 2, "outputs of a pretraining head");
    for weights in ["external", "linked"] {
        let answers = answers(&model(weights));
        for ((name, expected), (found_name, found)) in pairs(weights, &embedded, &answers) {
            assert_eq!(name, found_name, "{weights}");
            assert_near(weights, name, expected, found, Tolerance::Within(1e-5));
        }
    }
}

#[test]
fn the_form_of_a_layout_and_another_one_exclude_each_other() {
    let target = tempfile::tempdir().unwrap();
    let checkpoint = fixture("reach-4/base");
    let more = ["--layout", "openvino", "--gather", "elements"];
    let output = export(&checkpoint, target.path(), &more);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = "can't be combined with --layout openvino";
    assert!(stderr(&output).contains(said), "{}", stderr(&output));
    let output = export(&checkpoint, target.path(), &["--gather", "skewed"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = "unknown form 'skewed'; there are elements, flat";
    assert!(stderr(&output).contains(said), "{}", stderr(&output));
}
