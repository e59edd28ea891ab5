use super::{EngineReport, Problem, Report};
#[cfg(feature = "ort")]
use crate::EngineKind;
use crate::engine::Place;

/// The problems that follow from what was found.
pub(super) fn problems(report: &Report) -> Vec<Problem> {
    let engines = report.engines.iter().filter(|it| !it.runs());
    let engines = engines.flat_map(|engine| engine_problems(report, engine));
    let library = library_problems(report).into_iter();
    library.chain(engines).chain(cpu_problems(report)).collect()
}

fn problem(
    subject: impl ToString,
    problem: impl Into<String>,
    remedy: impl Into<String>,
) -> Problem {
    Problem {
        subject: subject.to_string(),
        problem: problem.into(),
        remedy: remedy.into(),
    }
}

/// A library that is missing is one problem, not one for each engine that needs it.
fn library_problems(report: &Report) -> Vec<Problem> {
    let mut problems = Vec::new();
    #[cfg(feature = "ort")]
    {
        let runtime = &report.onnx_runtime;
        if runtime.path.is_none() {
            problems.push(no_library("ONNX Runtime", &runtime.error, "nezha setup"));
        }
        if runtime.cache.is_none() {
            let found = "the system doesn't say where the user's caches are";
            problems.push(problem("cache", found, "set HOME or NEZHA_CACHE"));
        }
    }
    if cfg!(feature = "openvino") && report.openvino.path.is_none() {
        let error = &report.openvino.error;
        problems.push(no_library("OpenVINO", error, "nezha setup --openvino"));
    }
    problems
}

fn no_library(product: &str, error: &Option<String>, setup: &str) -> Problem {
    let found = error.as_deref().unwrap_or("no library can be loaded");
    problem(product, found, format!("`{setup}` installs one"))
}

/// The problems of an engine that doesn't run.
fn engine_problems(report: &Report, engine: &EngineReport) -> Vec<Problem> {
    match engine.engine.spec().place {
        #[cfg(feature = "ort")]
        Place::Ort(_) => onnx_runtime_problems(report, engine),
        Place::OpenVino(_) if cfg!(feature = "openvino") && report.openvino.path.is_none() => {
            Vec::new()
        }
        #[cfg(not(feature = "ort"))]
        Place::Ort(_) => vec![failure(engine)],
        Place::OpenVino(_) | Place::Tract | Place::Custom => vec![failure(engine)],
    }
}

#[cfg(feature = "ort")]
fn onnx_runtime_problems(report: &Report, engine: &EngineReport) -> Vec<Problem> {
    let kind = engine.engine;
    let runtime = &report.onnx_runtime;
    match kind.execution_provider() {
        Some(_) if runtime.path.is_none() => Vec::new(),
        Some(provider) if !runtime.execution_providers.iter().any(|it| it == provider) => {
            // A provider that `nezha setup` can't install is no problem: the engine's own row says
            // where it comes from.
            let is_installed = matches!(kind, EngineKind::OrtCuda | EngineKind::OrtTensorRt);
            let found = format!("{provider} is not in this ONNX Runtime");
            let problem = is_installed.then(|| problem(kind, found, kind.spec().build));
            problem.into_iter().collect()
        }
        _ if engine.missing_libraries.is_empty() => vec![failure(engine)],
        _ => missing_libraries(engine),
    }
}

/// One problem for each thing to install.
#[cfg(feature = "ort")]
fn missing_libraries(engine: &EngineReport) -> Vec<Problem> {
    let libraries = &engine.missing_libraries;
    let mut remedies: Vec<&str> = libraries.iter().map(|it| it.remedy.as_str()).collect();
    remedies.sort_unstable();
    remedies.dedup();
    let of = |remedy: &str| {
        let names = libraries.iter().filter(|it| it.remedy == remedy);
        names
            .map(|it| it.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    remedies
        .into_iter()
        .map(|remedy| problem(engine.engine, format!("missing: {}", of(remedy)), remedy))
        .collect()
}

fn failure(engine: &EngineReport) -> Problem {
    let error = engine.error.clone().unwrap_or_default();
    problem(engine.engine, error, engine.engine.spec().remedy)
}

fn cpu_problems(report: &Report) -> Vec<Problem> {
    let cpu = &report.cpu;
    if cpu.architecture != "x86_64" {
        return Vec::new();
    }
    let mut problems = Vec::new();
    if !cpu.has("AVX2") || !cpu.has("FMA") {
        problems.push(problem(
            "CPU",
            "no AVX2 with FMA: every engine is several times slower",
            "run on a processor that has them",
        ));
    }
    if !cpu.has("AVX-VNNI") && !cpu.has("AVX-512 VNNI") {
        problems.push(problem(
            "CPU",
            "no VNNI: ONNX Runtime adds up int8 products in 16 bits, which can saturate",
            "run float32 models, or compare the answers of int8 ones with theirs",
        ));
    }
    problems
}

#[cfg(all(test, feature = "ort"))]
mod tests {
    use super::super::{Cpu, CpuFeature, MissingLibrary, OnnxRuntime, OpenVino};
    use super::*;

    const X86_64: [&str; 3] = ["AVX2", "FMA", "AVX-512 VNNI"];

    /// A machine that has all that it needs, with these engines running.
    fn report(
        runs: &[EngineKind],
        execution_providers: &[&str],
        features: &[&'static str],
    ) -> Report {
        let engine = |engine| EngineReport {
            engine,
            description: runs.contains(&engine).then(|| "runs".to_owned()),
            error: (!runs.contains(&engine)).then(|| "does not run".to_owned()),
            missing_libraries: Vec::new(),
        };
        let feature = |name: &&'static str| CpuFeature {
            name,
            present: true,
            purpose: "",
        };
        Report {
            version: "",
            engines: EngineKind::ALL.map(engine).into(),
            onnx_runtime: OnnxRuntime {
                path: Some("libonnxruntime.so".into()),
                execution_providers: execution_providers
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
                cache: Some("cache".into()),
                ..OnnxRuntime::default()
            },
            openvino: OpenVino {
                path: Some("libopenvino_c.so".into()),
                ..OpenVino::default()
            },
            tract: None,
            cpu: Cpu {
                architecture: "x86_64",
                threads: None,
                features: features.iter().map(feature).collect(),
            },
            problems: Vec::new(),
        }
    }

    fn all_but(engines: &[EngineKind]) -> Vec<EngineKind> {
        let mut all = EngineKind::ALL.to_vec();
        all.retain(|it| !engines.contains(it));
        all
    }

    fn found(report: &Report) -> Vec<String> {
        let problems = problems(report).into_iter();
        problems
            .map(|it| format!("{}: {} → {}", it.subject, it.problem, it.remedy))
            .collect()
    }

    #[test]
    fn nothing_is_wrong_where_everything_runs() {
        assert_eq!(found(&report(&EngineKind::ALL, &[], &X86_64)), [""; 0]);
    }

    #[test]
    fn without_a_library_there_is_one_problem_and_not_one_for_each_engine() {
        let mut report = report(&[EngineKind::Tract], &[], &X86_64);
        report.onnx_runtime.path = None;
        report.openvino.path = None;
        assert_eq!(
            found(&report),
            [
                "ONNX Runtime: no library can be loaded → `nezha setup` installs one",
                "OpenVINO: no library can be loaded → `nezha setup --openvino` installs one",
            ]
        );
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn a_build_for_the_cpu_leads_to_the_one_for_gpus() {
        let runs = all_but(&[EngineKind::OrtCuda, EngineKind::OrtTensorRt]);
        let remedy = "`nezha setup --gpu` installs a build that has it";
        assert_eq!(
            found(&report(&runs, &["CPUExecutionProvider"], &X86_64)),
            [
                format!("ort:cuda: CUDAExecutionProvider is not in this ONNX Runtime → {remedy}"),
                format!(
                    "ort:tensorrt: TensorrtExecutionProvider is not in this ONNX Runtime → {remedy}"
                ),
            ]
        );
    }

    #[test]
    fn libraries_are_missing_by_what_installs_them() {
        let runs = all_but(&[EngineKind::OrtCuda]);
        let mut report = report(&runs, &["CUDAExecutionProvider"], &X86_64);
        report.engines[1].missing_libraries =
            [("a", "install A"), ("b", "install B"), ("c", "install A")]
                .map(|(name, remedy)| MissingLibrary {
                    name: name.to_owned(),
                    remedy: remedy.to_owned(),
                })
                .into();
        assert_eq!(
            found(&report),
            [
                "ort:cuda: missing: a, c → install A",
                "ort:cuda: missing: b → install B"
            ]
        );
        report.engines[1].missing_libraries.clear();
        assert_eq!(
            found(&report),
            ["ort:cuda: does not run → `nvidia-smi` tells whether the driver sees a GPU"]
        );
    }

    #[test]
    fn a_processor_without_vnni_is_no_place_for_int8() {
        let problems = found(&report(&EngineKind::ALL, &[], &["AVX2", "FMA"]));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with("CPU: no VNNI"), "{problems:?}");
    }
}
