//! An error says what failed and its `source` says why: nothing is said twice, nothing is lost.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use nezha_exporter::checkpoint::{Checkpoint, CheckpointError, OpenOptions};
use nezha_exporter::graph::{GraphError, WeightError};
use nezha_exporter::inspect::InspectError;
use nezha_exporter::nezha::BuildError;
use nezha_exporter::onnx::WriteError;
use nezha_exporter::reference::ReferenceError;
use nezha_exporter::verify::VerifyError;
use nezha_exporter::{ExportError, LinkError};
use nezha_graphs::files::FileError;
use nezha_graphs::{
    Config, ConfigError, Head, MetadataError, ReadModelError, SignatureError, TokenizerFiles,
    TokenizerSettings, decode_model, error_chain,
};
use nezha_runtime::library::LibraryError;
use nezha_runtime::setup::SetupError;
use nezha_runtime::tuned::TunedError;
use nezha_runtime::{
    DecoderError, EngineError, EngineKind, ModelError, PipelineError, SessionError, Skipped,
    TokenizerError, ort_library,
};
use tempfile::TempDir;

/// An error, and what has to be in its chain, from the outside in.
type Case = (Box<dyn Error>, &'static [&'static str]);

fn case(error: impl Error + 'static, expected: &'static [&'static str]) -> Case {
    (Box::new(error), expected)
}

fn denied() -> io::Error {
    ErrorKind::PermissionDenied.into()
}

fn config() -> ConfigError {
    Config::from_json("{").unwrap_err()
}

fn weight() -> WeightError {
    WeightError::Missing {
        name: "nezha.pooler.dense.weight".to_owned(),
        expected: vec![4, 4],
    }
}

fn build() -> BuildError {
    BuildError::Weights {
        head: Head::NextSentence,
        faults: vec![weight()],
    }
}

fn library() -> LibraryError {
    ort_library::find(Some(Path::new("/nowhere/libonnxruntime.so"))).unwrap_err()
}

fn no_library(engine: EngineKind) -> EngineError {
    EngineError::Library {
        engine,
        source: library(),
    }
}

fn model() -> ModelError {
    ModelError::Metadata {
        path: "model.onnx".into(),
        source: MetadataError::Config(config()),
    }
}

fn unreadable() -> TokenizerError {
    TokenizerError::Read {
        path: "vocab.txt".into(),
        source: denied(),
    }
}

fn of_graphs() -> Vec<Case> {
    let files = TokenizerFiles {
        tokenizer_config: Some("{"),
        ..TokenizerFiles::default()
    };
    vec![
        case(config(), &["not valid JSON", "EOF"]),
        case(
            MetadataError::Config(config()),
            &["nezha.config", "not valid JSON", "EOF"],
        ),
        case(
            TokenizerSettings::read(&files).unwrap_err(),
            &["tokenizer_config.json", "EOF"],
        ),
        case(
            decode_model(vec![0x3a, 0xff].into()).unwrap_err(),
            &["Protobuf"],
        ),
    ]
}

fn of_exporter() -> Vec<Case> {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("config.json"), "{").unwrap();
    std::fs::write(folder.path().join("model.safetensors"), "").unwrap();
    let opened = Checkpoint::open(folder.path(), &OpenOptions::default());
    let path = || "out/model.onnx".into();
    vec![
        case(
            opened.unwrap_err(),
            &["config.json", "not valid JSON", "EOF"],
        ),
        case(
            CheckpointError::Unreadable {
                path: path(),
                source: denied(),
            },
            &["out/model.onnx: can't be read", "permission denied"],
        ),
        case(
            ExportError::Build {
                folder: "checkpoint".into(),
                source: build(),
            },
            &[
                "checkpoint: can't be exported",
                "the next-sentence head can't be built",
                "nezha.pooler.dense.weight",
            ],
        ),
        case(
            BuildError::Graph {
                head: Head::Base,
                source: GraphError::MissingOutput("logits".to_owned()),
            },
            &["a fault in the exporter", "output 'logits' was not built"],
        ),
        case(
            WriteError::from(FileError::write(path(), ErrorKind::StorageFull.into())),
            &[
                "out/model.onnx: can't be written",
                "another disk",
                "no storage space",
            ],
        ),
        case(ExportError::Write(denied().into()), &["permission denied"]),
        case(
            ExportError::Link(LinkError::Unreadable {
                file: "model.safetensors".into(),
                source: denied(),
            }),
            &["model.safetensors: can't be read", "permission denied"],
        ),
        case(
            VerifyError::Metadata {
                path: path(),
                source: MetadataError::Config(config()),
            },
            &["out/model.onnx", "nezha.config", "not valid JSON", "EOF"],
        ),
        case(
            VerifyError::Build {
                folder: "checkpoint".into(),
                source: build(),
            },
            &[
                "not what the artifact was exported from",
                "can't be built",
                "is missing",
            ],
        ),
        case(
            InspectError::Build(build()),
            &["the next-sentence head can't be built", "is missing"],
        ),
        case(
            ReferenceError::Checkpoint(CheckpointError::Config {
                path: "config.json".into(),
                source: config(),
            }),
            &[
                "config.json: the config can't be used",
                "not valid JSON",
                "EOF",
            ],
        ),
    ]
}

fn of_runtime() -> Vec<Case> {
    vec![
        case(
            SessionError::Model(ModelError::Read(ReadModelError::Unreadable {
                path: "model.onnx".into(),
                source: denied(),
            })),
            &["model.onnx: can't be read", "permission denied"],
        ),
        case(
            PipelineError::from(SessionError::Model(model())),
            &["model.onnx", "nezha.config", "not valid JSON", "EOF"],
        ),
        case(
            ModelError::Signature {
                path: "model.onnx".into(),
                source: SignatureError::Untyped {
                    name: "input_ids".to_owned(),
                },
            },
            &["model.onnx", "'input_ids'"],
        ),
        case(
            PipelineError::from(TunedError::Read {
                path: "nezha.json".into(),
                source: denied(),
            }),
            &["nezha.json: can't be read", "permission denied"],
        ),
        case(
            PipelineError::from(TunedError::Malformed {
                path: "nezha.json".into(),
                source: serde_json::from_str::<u8>("{").unwrap_err(),
            }),
            &["nezha.json: not what `nezha tune` writes", "invalid type"],
        ),
        case(
            DecoderError::Pipeline(PipelineError::from(unreadable())),
            &["vocab.txt: can't be read", "permission denied"],
        ),
        case(
            no_library(EngineKind::OrtCpu),
            &[
                "ort:cpu can't start",
                "no ONNX Runtime of version",
                "named: /nowhere/libonnxruntime.so",
            ],
        ),
        case(
            EngineError::NoneStarts(vec![Skipped {
                engine: EngineKind::OrtCpu,
                error: no_library(EngineKind::OrtCpu),
            }]),
            &[
                "no engine starts",
                "ort:cpu can't start",
                "no ONNX Runtime",
                "named: /nowhere/libonnxruntime.so",
            ],
        ),
        case(
            SetupError::NoPython(ErrorKind::NotFound.into()),
            &["does not start", "install Python 3", "entity not found"],
        ),
        case(
            SetupError::File {
                path: "cache".into(),
                source: denied(),
            },
            &["cache: can't be read or written", "permission denied"],
        ),
    ]
}

/// Every error of the chain but the last has a cause that it doesn't say itself, and the printed
/// chain has what is expected, in that order, and each error's text once.
fn assert_sound((error, expected): &Case) {
    let printed = error_chain(error.as_ref());
    let mut above = error.to_string();
    assert_eq!(printed.matches(&above).count(), 1, "{printed}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        assert!(!above.contains(&text), "'{above}' says its cause '{text}'");
        assert_eq!(printed.matches(&text).count(), 1, "'{text}' in '{printed}'");
        above = text;
        cause = error.source();
    }
    let mut rest = printed.as_str();
    for part in *expected {
        let (_, behind) = rest
            .split_once(part)
            .unwrap_or_else(|| panic!("no '{part}' where it belongs in '{printed}'"));
        rest = behind;
    }
}

#[test]
fn errors_of_graphs_say_their_causes_once() {
    of_graphs().iter().for_each(assert_sound);
}

#[test]
fn errors_of_the_exporter_say_their_causes_once() {
    of_exporter().iter().for_each(assert_sound);
}

#[test]
fn errors_of_the_runtime_say_their_causes_once() {
    of_runtime().iter().for_each(assert_sound);
}

/// The source files below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

/// No message is put together from that of a cause, in no crate: the representatives above can't be
/// all there are.
#[test]
fn no_error_formats_its_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in [
        "graphs/src",
        "exporter/src",
        "runtime/src",
        "verify/src",
        "measure/src",
        "cli",
    ] {
        sources(&root.join(folder), &mut files);
    }
    assert!(files.len() > 100, "{} files", files.len());
    let mut messages = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for variant in text.split("#[error(").skip(1) {
            let (message, fields) = variant.split_once(")]").unwrap();
            let fields = fields.split("\n}").next().unwrap_or_default();
            let place = format!("{}: {message}", file.display());
            let is_passed_on = fields.contains("#[from]") || fields.contains("#[source]");
            assert!(!message.contains("{source}"), "{place}");
            assert!(!(is_passed_on && message.contains("{0}")), "{place}");
            messages += 1;
        }
    }
    assert!(messages > 100, "{messages} messages");
}

/// Callers of a library have options and no arguments: those are the command line's to name.
#[test]
fn no_message_of_a_library_names_an_argument() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in [
        "graphs/src",
        "exporter/src",
        "runtime/src",
        "verify/src",
        "measure/src",
    ] {
        sources(&root.join(folder), &mut files);
    }
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let is_comment = line.starts_with("//");
            // pip and ONNX Runtime's build have arguments, and `nezha setup` is a command to run.
            let is_foreign = file.ends_with("setup/mod.rs")
                || line.contains("nezha setup --")
                || line.contains("build ONNX Runtime with");
            let named = line.match_indices("--").any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let behind = line[at + 2..].chars().next();
                before.is_none_or(|it| !it.is_alphanumeric() && it != '-')
                    && behind.is_some_and(|it| it.is_ascii_lowercase())
            });
            let place = format!("{}:{}: {line}", file.display(), number + 1);
            assert!(is_comment || is_foreign || !named, "{place}");
        }
    }
}
