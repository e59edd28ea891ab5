//! Where the provider for CUDA places the nodes of our graphs: counted in what ONNX Runtime's build for GPUs
//! makes of them, with libraries that stand in for CUDA's.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use testkit::command::{stdout, succeeded};
use testkit::repository;

use crate::{library, stand_in};

/// Checkpoints, and the heads that they are exported with.
const MODELS: [(&str, &str); 5] = [
    ("tests/fixtures/reach-4/base", "base"),
    ("tests/fixtures/reach-4/masked-lm", "masked-lm"),
    (
        "tests/fixtures/reach-4/question-answering",
        "question-answering",
    ),
    ("models/nezha-tiny-zh-sentiment", "sequence-classification"),
    ("models/nezha-tiny-zh-ner", "token-classification"),
];

/// Nodes, those on the CPU, and copies between the devices.
#[derive(Default, Clone, Copy, PartialEq, Debug)]
struct Count {
    nodes: usize,
    on_cpu: usize,
    copies: usize,
}

/// A graph's nodes in its encoder's layers, and all the others.
#[derive(Default)]
struct Placement {
    layers: Count,
    others: Count,
}

impl Placement {
    /// What `nezha profile` says of a model.
    fn of(model: &Path, stand_in: &Path) -> Self {
        let mut profile = Command::new(env!("CARGO_BIN_EXE_nezha"));
        profile.arg("profile").arg(model);
        profile.args(["--engine", "ort:cuda", "--runs", "1", "--json"]);
        profile.args(["--batch", "2", "--sequence", "8"]);
        profile.arg("--ort-library").arg(library());
        let profile = profile.env("LD_LIBRARY_PATH", stand_in);
        let output = succeeded(profile.output().unwrap());
        let report: Value = serde_json::from_str(stdout(&output)).unwrap();
        let operators = report["operators"].as_array().unwrap();
        let mut placement = Self::default();
        for operator in operators {
            let text = |field: &str| operator[field].as_str().unwrap();
            let count = match text("origin").contains("encoder.layer.") {
                true => &mut placement.layers,
                false => &mut placement.others,
            };
            count.nodes += 1;
            match (text("op_type"), text("provider")) {
                ("MemcpyToHost" | "MemcpyFromHost", _) => count.copies += 1,
                (_, "CUDAExecutionProvider") => {}
                (_, "CPUExecutionProvider") => count.on_cpu += 1,
                (_, other) => panic!("{}: on {other}", text("name")),
            }
        }
        placement
    }
}

/// Exports a head in every precision of the test.
fn export(checkpoint: &str, head: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut export = Command::new(env!("CARGO_BIN_EXE_nezha"));
    export.arg("export").arg(repository(checkpoint));
    export.args(["--head", head, "--dtype", "fp32,fp16,int8,w8", "-o"]);
    succeeded(export.arg(folder.path()).output().unwrap());
    folder
}

#[test]
fn no_node_of_a_layer_is_left_to_the_cpu_in_fp32_and_fp16() {
    let stand_ins = tempfile::tempdir().unwrap();
    let provider: PathBuf = library().with_file_name("libonnxruntime_providers_cuda.so");
    stand_in::write(stand_ins.path(), &provider);
    println!(
        "| head | precision | nodes | of layers: on the CPU | copies | others: on the CPU | copies |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (checkpoint, head) in MODELS {
        let exported = export(checkpoint, head);
        for (precision, file) in [
            ("fp32", "model.onnx"),
            ("fp16", "model_fp16.onnx"),
            ("w8", "model_w8.onnx"),
            ("int8", "model_int8.onnx"),
        ] {
            let Placement { layers, others } =
                Placement::of(&exported.path().join(file), stand_ins.path());
            let case = format!("{checkpoint}, {precision}");
            println!(
                "| {head} | {precision} | {} | {} | {} | {} | {} |",
                layers.nodes + others.nodes,
                layers.on_cpu,
                layers.copies,
                others.on_cpu,
                others.copies,
            );
            assert!(layers.nodes > 20, "{case}: {layers:?}");
            // The provider has no product of uint8 by int8.
            if precision == "int8" {
                assert!(layers.on_cpu > 0, "{case}: the guide says otherwise");
                continue;
            }
            assert_eq!((layers.on_cpu, layers.copies), (0, 0), "{case}: {layers:?}");
            // Ranges and bounds of positions.
            assert!(
                others.on_cpu <= 20 && others.copies <= 16,
                "{case}: {others:?}"
            );
        }
    }
}
