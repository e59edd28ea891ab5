//! Has burn-onnx turn the models below NEZHA_INTEROP_MODELS into Rust, and writes models.rs, which
//! hands each its inputs and names what it answers: the generated code keeps only the order.

use std::fmt::Write;
use std::panic::catch_unwind;
use std::path::Path;
use std::{env, fs};

use burn_onnx::ModelGen;
use onnx_ir::{Message, ModelProto, ValueInfoProto};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=NEZHA_INTEROP_MODELS");
    let models = env::var("NEZHA_INTEROP_MODELS").expect("NEZHA_INTEROP_MODELS");
    let mut modules = String::new();
    let mut arms = String::new();
    for entry in fs::read_dir(models).unwrap() {
        let folder = entry.unwrap().path();
        let head = folder.file_name().unwrap().to_str().unwrap();
        let file = folder.join("model.onnx");
        let file = file.to_str().unwrap();
        println!("cargo::rerun-if-changed={file}");
        let import = || ModelGen::new().input(file).out_dir(head).run_from_script();
        if let Err(panic) = catch_unwind(import) {
            let reason = panic.downcast_ref::<String>().unwrap();
            write!(arms, "{head:?} => bail!(\"{{}}\", {reason:?}),").unwrap();
            continue;
        }
        let module = head.replace('-', "_");
        let model = ModelProto::parse_from_bytes(&fs::read(file).unwrap()).unwrap();
        let inputs = each(&model.graph.input, |_, name| {
            format!("ids(case, {name:?})?")
        });
        let variables = each(&model.graph.output, |at, _| format!("it{at}"));
        let outputs = each(&model.graph.output, |at, name| {
            format!("({name:?}.to_owned(), floats(it{at})?)")
        });
        write!(
            modules,
            "#[allow(warnings, clippy::all)]
            mod {module} {{ include!(concat!(env!(\"OUT_DIR\"), \"/{head}/model.rs\")); }}"
        )
        .unwrap();
        write!(
            arms,
            "{head:?} => {{
                let ({variables}) = {module}::Model::default().forward({inputs});
                Ok(Tensors::from([{outputs}]))
            }}"
        )
        .unwrap();
    }
    let code = format!(
        "{modules}
        fn answer(head: &str, case: &Case) -> Result<Tensors> {{
            match head {{
                {arms}
                _ => bail!(\"no such head\"),
            }}
        }}"
    );
    fs::write(
        Path::new(&env::var("OUT_DIR").unwrap()).join("models.rs"),
        code,
    )
    .unwrap();
}

fn each(values: &[ValueInfoProto], text: impl Fn(usize, &str) -> String) -> String {
    let values = values.iter().enumerate();
    values.map(|(at, it)| text(at, &it.name) + ", ").collect()
}
