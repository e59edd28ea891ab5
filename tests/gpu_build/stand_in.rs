//! Libraries in place of CUDA's, which a machine without a GPU can load.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::command::{stdout, succeeded};
use testkit::repository;

/// What ONNX Runtime's provider for CUDA 13 is linked with, and what it opens itself.
const LIBRARIES: [&str; 6] = [
    "libcudart.so.13",
    "libcublas.so.13",
    "libcublasLt.so.13",
    "libcurand.so.10",
    "libcuda.so.1",
    "libcudnn.so.9",
];

/// Writes them into a folder, for `LD_LIBRARY_PATH`; `provider` is `libonnxruntime_providers_cuda.so`.
///
/// `stand_in.c` answers what needs an answer. Every other function that the provider asks for returns 0.
pub(crate) fn write(folder: &Path, provider: &Path) {
    let answered = repository("tests/gpu_build/stand_in.c");
    let known = fs::read_to_string(&answered).unwrap();
    let asked = asked_for(provider);
    assert!(asked.contains("cudaMalloc"), "{asked:?}");
    let others = asked.iter().filter(|it| !known.contains(&format!("{it}(")));
    let others: String = others
        .map(|it| format!("int {it}() {{ return 0; }}\n"))
        .collect();
    let generated = folder.join("others.c");
    fs::write(&generated, others).unwrap();
    let [first, others @ ..] = LIBRARIES.map(|it| folder.join(it));
    let mut compiler = Command::new("cc");
    compiler
        .args(["-w", "-O1", "-shared", "-fPIC", "-o"])
        .arg(&first);
    compiler.arg(&answered).arg(&generated);
    succeeded(
        compiler
            .output()
            .expect("a C compiler is needed, such as gcc"),
    );
    for library in others {
        fs::copy(&first, library).unwrap();
    }
}

/// The functions of CUDA's libraries that the provider is linked with, and those of cuDNN whose names it has.
fn asked_for(provider: &Path) -> BTreeSet<String> {
    let printed = |program: &str, options: &[&str]| {
        let mut command = Command::new(program);
        let output = command.args(options).arg(provider).output();
        let output = output.unwrap_or_else(|error| panic!("{program}, of binutils: {error}"));
        succeeded(output.clone());
        stdout(&output).to_owned()
    };
    let linked = printed("nm", &["-D", "--undefined-only"]);
    let linked = linked.lines().filter_map(|it| it.split_whitespace().last());
    let linked = linked.map(|it| it.split('@').next().unwrap_or(it));
    let linked = linked.filter(|it| it.trim_start_matches('_').starts_with("cu"));
    let named = printed("strings", &["-n", "8"]);
    let is_function = |it: &&str| {
        let rest = it.strip_prefix("cudnn").unwrap_or_default();
        rest.starts_with(|it: char| it.is_ascii_uppercase())
            && rest
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || it == '_')
    };
    linked
        .chain(named.lines().filter(is_function))
        .map(str::to_owned)
        .collect()
}
