//! Memory that each command takes for an `.onnx` made to unfold: at most 100 MB for a file of 10 MB,
//! which it refuses. A test for each file.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Trial};
use prost::encoding::{WireType, encode_key, encode_varint};
use tempfile::TempDir;
use wait4::Wait4;

const FILE: usize = 10_000_000;
const MOST: u64 = 100_000_000;

/// What fills a file: where it is, by the numbers of the fields around it, and what it is.
struct Filling {
    name: &'static str,
    fields: &'static [u32],
    element: fn(usize) -> Vec<u8>,
}

impl Filling {
    const fn new(
        name: &'static str,
        fields: &'static [u32],
        element: fn(usize) -> Vec<u8>,
    ) -> Self {
        Self {
            name,
            fields,
            element,
        }
    }
}

const GRAPH: u32 = 7;
const NODE: u32 = 1;
const OUTPUT: u32 = 12;

/// Files that unfold to hundreds of megabytes.
static HOSTILE: [Filling; 13] = [
    Filling::new("empty nodes", &[GRAPH], |_| field(NODE, &[])),
    Filling::new("nodes of one letter", &[GRAPH], |_| {
        field(NODE, &field(4, b"A"))
    }),
    Filling::new("nodes of one attribute", &[GRAPH], |_| {
        field(NODE, &field(5, &[]))
    }),
    Filling::new("empty attributes", &[GRAPH, NODE], |_| field(5, &[])),
    Filling::new("empty names", &[GRAPH, NODE], |_| field(1, &[])),
    Filling::new("empty initializers", &[GRAPH], |_| field(5, &[])),
    Filling::new("empty inputs", &[GRAPH], |_| field(11, &[])),
    Filling::new("empty outputs", &[GRAPH], |_| field(12, &[])),
    Filling::new("empty value infos", &[GRAPH], |_| field(13, &[])),
    Filling::new("dimensions", &[GRAPH, 13, 2, 1, 2], |_| field(1, &[])),
    Filling::new("whole numbers", &[GRAPH, NODE, 5], |_| {
        field(8, &[0; 1 << 10])
    }),
    Filling::new("graphs in graphs", &[GRAPH], |_| {
        let graph = |inner: Vec<u8>| field(NODE, &field(5, &field(6, &inner)));
        (0..20).fold(field(NODE, &[]), |inner, _| graph(inner))
    }),
    Filling::new("metadata", &[], |_| field(14, &[])),
];

/// Fillings of as many elements as a file may just have.
static WITHIN: [(Filling, usize); 6] = [
    (
        Filling::new("named nodes", &[GRAPH], |at| {
            let operator = field(4, format!("{at:x}").as_bytes());
            field(NODE, &[operator, field(3, b"n")].concat())
        }),
        240_000,
    ),
    (
        Filling::new("initializers of types that are none", &[GRAPH], |at| {
            let mut data_type = vec![2 << 3];
            encode_varint(30 + at as u64, &mut data_type);
            field(5, &data_type)
        }),
        120_000,
    ),
    (
        Filling::new("inputs", &[GRAPH], |at| field(11, &port(at))),
        90_000,
    ),
    (
        Filling::new("value infos", &[GRAPH], |at| field(13, &port(at))),
        170_000,
    ),
    (
        Filling::new("metadata", &[], |at| {
            let key = field(1, format!("{at:x}").as_bytes());
            field(14, &[key, field(2, b"v")].concat())
        }),
        131_000,
    ),
    (
        Filling::new("names", &[GRAPH, NODE], |at| {
            field(1, format!("{at:x}").as_bytes())
        }),
        900_000,
    ),
];

/// A field of a message in bytes: its number, its length, its content.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = opened(number, content.len());
    bytes.extend(content);
    bytes
}

fn opened(number: u32, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(number, WireType::LengthDelimited, &mut bytes);
    encode_varint(length as u64, &mut bytes);
    bytes
}

/// The message of a value of one axis of two.
fn port(at: usize) -> Vec<u8> {
    let shape = field(1, &[1 << 3, 2]);
    let tensor = [vec![1 << 3, 1], field(2, &shape)].concat();
    let name = field(1, format!("{at:x}").as_bytes());
    [name, field(2, &field(1, &tensor))].concat()
}

/// Writes a model of 10 MB piece by piece: this process has to stay small, whose memory counts as a
/// command's until that has begun.
fn write(path: &Path, filling: &Filling, count: usize) {
    /// An unknown field, which every reader skips.
    const UNKNOWN: u32 = 100;

    let elements = || (0..count).map(filling.element);
    let length: usize = elements().map(|it| it.len()).sum();
    let output = field(OUTPUT, &port(0));
    let mut front = match filling.fields {
        [] => field(GRAPH, &output),
        _ => Vec::new(),
    };
    for (depth, number) in filling.fields.iter().enumerate().rev() {
        // What the graph computes comes first in it.
        let first = if depth == 0 { output.as_slice() } else { &[] };
        let opening = opened(*number, first.len() + front.len() + length);
        front = [&opening, first, &front].concat();
    }
    let padding = FILE.saturating_sub(front.len() + length);
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(&front).unwrap();
    elements().for_each(|it| file.write_all(&it).unwrap());
    file.write_all(&opened(UNKNOWN, padding)).unwrap();
    io::copy(&mut io::repeat(0).take(padding as u64), &mut file).unwrap();
    file.flush().unwrap();
}

/// What a command said, how it ended, and the most memory that it had; bytes.
struct Ended {
    code: Option<i32>,
    errors: String,
    peak: u64,
}

fn nezha(arguments: &[String]) -> Ended {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nezha"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = String::new();
    let stderr = child.stderr.take();
    stderr.unwrap().read_to_string(&mut errors).unwrap();
    let ended = child.wait4().unwrap();
    Ended {
        code: ended.status.code(),
        errors,
        peak: ended.rusage.maxrss,
    }
}

/// Every command that reads an `.onnx`; what is in capitals is a path in [`Folder`].
const COMMANDS: [&[&str]; 16] = [
    &["inspect", "MODEL"],
    &["inspect", "MODEL", "--json"],
    &["inspect", "MODEL", "--listing"],
    &["inspect", "MODEL", "--svg", "OUT"],
    &["verify", "MODEL", "CHECKPOINT"],
    &["bench", "MODEL", "--engines", "tract"],
    &["profile", "MODEL", "--engine", "tract"],
    &["run", "MODEL", "--inputs", "INPUTS", "--outputs", "OUT"],
    &["fill-mask", "MODEL", "我[MASK]你"],
    &["text-classification", "MODEL", "好"],
    &["token-classification", "MODEL", "李明"],
    &["question-answering", "MODEL", "谁？", "李明。"],
    &["multiple-choice", "MODEL", "好", "一", "二"],
    &["next-sentence", "MODEL", "好", "一"],
    &["feature-extraction", "MODEL", "好"],
    &["generate", "MODEL", "好"],
];

/// A model beside a tokenizer, and what else commands take.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nezha-tiny-zh");
        for name in ["config.json", "vocab.txt", "tokenizer_config.json"] {
            fs::copy(checkpoint.join(name), folder.path().join(name)).unwrap();
        }
        // A safetensors file without tensors.
        fs::write(folder.path().join("INPUTS"), b"\x02\0\0\0\0\0\0\0{}").unwrap();
        Self(folder)
    }

    fn model(&self) -> PathBuf {
        self.0.path().join("model.onnx")
    }

    /// A command's arguments with the paths in them.
    fn arguments(&self, command: &[&str]) -> Vec<String> {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let argument = |it: &&str| match *it {
            "MODEL" => path(&self.model()),
            "CHECKPOINT" => concat!(env!("CARGO_MANIFEST_DIR"), "/models/nezha-tiny-zh").to_owned(),
            "INPUTS" | "OUT" => path(&self.0.path().join(it)),
            other => other.to_owned(),
        };
        command.iter().map(argument).collect()
    }
}

/// Every command refuses the file in little memory, and says why.
fn refused(filling: &Filling) {
    let folder = Folder::new();
    let count = FILE / (filling.element)(0).len();
    write(&folder.model(), filling, count);
    for command in COMMANDS {
        let context = command.join(" ");
        let ended = nezha(&folder.arguments(command));
        assert_eq!(ended.code, Some(1), "{context}: {}", ended.errors);
        for expected in ["model.onnx", "become more than"] {
            let says = ended.errors.contains(expected);
            assert!(says, "{context}: not '{expected}': {}", ended.errors);
        }
        assert!(ended.peak <= MOST, "{context}: {} bytes", ended.peak);
    }
}

/// A model that is just read takes no more than a hostile one may.
fn just_read(filling: &Filling, count: usize) {
    let folder = Folder::new();
    write(&folder.model(), filling, count);
    // Those that read a model and then say what is in it, or that it is not theirs.
    for command in &COMMANDS[..6] {
        let context = command.join(" ");
        let ended = nezha(&folder.arguments(command));
        let is_read = !ended.errors.contains("unfold");
        assert!(is_read, "{context}: {}", ended.errors);
        assert!(ended.peak <= MOST, "{context}: {} bytes", ended.peak);
    }
}

fn main() -> ExitCode {
    let name =
        |what: &str, filling: &Filling| format!("{what}::{}", filling.name.replace(' ', "_"));
    let hostile = HOSTILE.iter().map(|filling| {
        Trial::test(name("refused", filling), || {
            refused(filling);
            Ok(())
        })
    });
    let within = WITHIN.iter().map(|(filling, count)| {
        Trial::test(name("just_read", filling), || {
            just_read(filling, *count);
            Ok(())
        })
    });
    let trials = hostile.chain(within).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
