//! Several precisions of one or more heads in one export, under the names of each layout.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroUsize;

use nezha_exporter::{ExportOptions, Layout, Placement, TritonOptions};
use nezha_graphs::{GraphOptions, Head, Precision};

use super::pbtxt::Message;
use super::{exported, files, options, refused, session};

use Precision::{Fp16, Fp32, Int8, Q4, Q8};

const MODEL: &str = "models/nezha-tiny-zh";

fn with(layout: Layout, heads: &[Head], precisions: &[Precision]) -> ExportOptions {
    options(layout, heads).precisions(precisions.to_vec())
}

/// The files of graphs and weights below the folder of an export, all of which ONNX Runtime loads.
fn models(options: &ExportOptions) -> BTreeSet<String> {
    let (folder, exported) = exported(MODEL, options);
    for artifact in &exported.artifacts {
        session(&artifact.file.path);
    }
    let mut files = files(folder.path());
    files.retain(|it| it.contains(".onnx"));
    files
}

#[test]
fn one_head_is_a_file_of_its_own_in_each_precision() {
    let found = models(&with(Layout::Plain, &[Head::Base], &[Fp32, Int8, Q8, Q4]));
    let expected = [
        "model.onnx",
        "model_int8.onnx",
        "model_q4.onnx",
        "model_q8.onnx",
    ];
    assert!(found.iter().eq(&BTreeSet::from(expected)), "{found:?}");
}

#[test]
fn heads_and_precisions_share_one_file_of_weights() {
    let heads = [Head::Base, Head::MaskedLm];
    let (folder, exported) = exported(MODEL, &with(Layout::Plain, &heads, &[Fp32, Q8, Q4]));
    let [weights] = exported.weights.as_slice() else {
        panic!("{:?}", exported.weights);
    };
    for artifact in &exported.artifacts {
        let (head, precision) = (artifact.head, artifact.precision);
        let name = precision.file_name(head.name());
        assert_eq!(artifact.file.path, folder.path().join(name));
        session(&artifact.file.path);
    }
    assert_eq!(exported.artifacts.len(), 6);
    // q4 has the vocabulary of q8, and the second head next to nothing of its own.
    let (_folder, alone) = super::exported(
        MODEL,
        &with(Layout::Plain, &heads[1..], &[Fp32]).weights(Placement::External),
    );
    let share = weights.bytes as f64 / alone.weights[0].bytes as f64;
    assert!(share < 1.4, "{share} of the bytes of fp32");
}

#[test]
fn transformersjs_has_the_names_of_its_dtypes() {
    let all = [Fp32, Fp16, Int8, Q4];
    let found = models(&with(Layout::TransformersJs, &[Head::MaskedLm], &all));
    let expected = [
        "model.onnx",
        "model_fp16.onnx",
        "model_quantized.onnx",
        "model_q4.onnx",
    ];
    let expected = expected.map(|it| format!("onnx/{it}"));
    assert_eq!(found, BTreeSet::from(expected));
}

#[test]
fn optimum_has_a_file_name_for_each_precision_and_tei_one_for_all() {
    let found = models(&with(Layout::Optimum, &[Head::Base], &[Fp32, Int8]));
    assert!(
        found.iter().eq(["model.onnx", "model_int8.onnx"]),
        "{found:?}"
    );
    let found = models(&with(Layout::Tei, &[Head::Base], &[Int8]));
    assert!(found.iter().eq(["model.onnx"]), "{found:?}");
}

#[test]
fn a_triton_repository_has_a_model_for_each_precision_too() {
    let heads = [Head::Base, Head::NextSentence];
    let found = models(&with(Layout::Triton, &heads, &[Fp32, Int8]));
    let expected = [
        "nezha-base/1/model.onnx",
        "nezha-base-int8/1/model.onnx",
        "nezha-next-sentence/1/model.onnx",
        "nezha-next-sentence-int8/1/model.onnx",
    ];
    assert!(found.iter().eq(&BTreeSet::from(expected)), "{found:?}");
}

fn triton_config(head: Head, precision: Precision, graph: GraphOptions) -> Message {
    let options = with(Layout::Triton, &[head], &[precision])
        .graph(graph)
        .triton(
            TritonOptions::default()
                .instances(NonZeroUsize::new(3))
                .tensorrt(true),
        );
    let (folder, _) = exported(MODEL, &options);
    let name = precision.stem(&format!("nezha-{head}"), '-');
    let text = fs::read_to_string(folder.path().join(&name).join("config.pbtxt")).unwrap();
    let config = Message::parse(&text);
    assert_eq!(config.text("name"), name);
    config
}

#[test]
fn triton_starts_as_many_instances_and_prepares_tensorrt_for_the_shapes_that_it_may_meet() {
    let config = triton_config(Head::MaskedLm, Fp16, GraphOptions::default());
    let group = config.messages("instance_group")[0];
    assert_eq!(group.number("count"), 3);
    assert_eq!(group.text("kind"), "KIND_GPU");
    let optimization = config.messages("optimization")[0];
    let accelerators = optimization.messages("execution_accelerators")[0];
    let accelerator = accelerators.messages("gpu_execution_accelerator")[0];
    assert_eq!(accelerator.text("name"), "tensorrt");
    let parameters = accelerator.messages("parameters");
    let parameters: Vec<(&str, &str)> = parameters
        .iter()
        .map(|it| (it.text("key"), it.text("value")))
        .collect();
    let shapes = |size: &str| {
        let inputs = ["input_ids", "attention_mask", "token_type_ids"];
        inputs.map(|it| format!("{it}:{size}")).join(",")
    };
    assert_eq!(
        parameters,
        [
            ("trt_profile_min_shapes", shapes("1x1").as_str()),
            ("trt_profile_opt_shapes", shapes("8x128").as_str()),
            ("trt_profile_max_shapes", shapes("64x512").as_str()),
        ]
    );
    let fixed = GraphOptions::default().fixed_axes(
        [("batch_size", 2), ("sequence_length", 16)]
            .map(|(axis, size)| (axis.to_owned(), size))
            .into(),
    );
    let config = triton_config(Head::Base, Fp32, fixed);
    let optimization = config.messages("optimization")[0];
    let accelerators = optimization.messages("execution_accelerators")[0];
    let accelerator = accelerators.messages("gpu_execution_accelerator")[0];
    assert_eq!(
        accelerator.messages("parameters").len(),
        0,
        "nothing can change"
    );
}

#[test]
fn precisions_that_a_stack_can_not_tell_apart_or_load_are_refused() {
    let head = [Head::Base];
    for (options, expected) in [
        (
            with(Layout::Tei, &head, &[Fp32, Int8]),
            "holds one precision, and 2",
        ),
        (
            with(Layout::TransformersJs, &head, &[Precision::W8]),
            "layout transformersjs and precision w8 exclude each other",
        ),
        (
            with(Layout::TransformersJs, &head, &[Q8]),
            "layout transformersjs and precision q8 exclude each other",
        ),
        (
            with(Layout::Plain, &head, &[Fp32, Precision::Fp16Storage]),
            "has the same file name for two of the precisions, 'model.onnx'",
        ),
        (
            with(Layout::Triton, &head, &[Int8]).triton(TritonOptions::default().tensorrt(true)),
            "TensorRT has no operators for quantized graphs",
        ),
    ] {
        let error = refused(&options);
        assert!(error.contains(expected), "{expected:?} in {error:?}");
    }
}
