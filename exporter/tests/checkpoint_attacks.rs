//! Files that are no checkpoint, or pretend to be one: each is an error that says what is wrong.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use std::fs;
use std::path::Path;

use ndarray::Array1;
use nezha_exporter::checkpoint::{Checkpoint, CheckpointError, OpenOptions};
use nezha_graphs::error_chain;
use proptest::prelude::{any, prop};
use tempfile::TempDir;
use testkit::compare::{Tolerance, assert_near};
use testkit::random;

const CONFIG: &str = r#"{"model_type": "nezha", "hidden_size": 8, "num_attention_heads": 2}"#;

/// A folder with the given files and, unless they have one, a good config.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), CONFIG).unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn error(path: &Path) -> CheckpointError {
    let mapped = open(path, true);
    let copied = open(path, false);
    assert_eq!(
        mapped.to_string(),
        copied.to_string(),
        "mapping changes the error"
    );
    mapped
}

fn open(path: &Path, mmap: bool) -> CheckpointError {
    let options = OpenOptions::default().mmap(mmap);
    match Checkpoint::open(path, &options) {
        Ok(found) => panic!("{} was opened: {:?}", path.display(), found.weights()),
        Err(error) => error,
    }
}

#[track_caller]
fn assert_says(error: &CheckpointError, needles: &[&str]) {
    let message = error_chain(error);
    for needle in needles {
        assert!(
            message.contains(needle),
            "expected '{needle}' in: {message}"
        );
    }
}

/// A safetensors file with the given header and as many bytes of data.
fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[track_caller]
fn assert_safetensors_refused(bytes: &[u8], needle: &str) {
    let folder = folder(&[("model.safetensors", bytes)]);
    assert_says(&error(folder.path()), &["model.safetensors", needle]);
}

#[test]
fn a_folder_without_its_files_is_told_what_it_lacks() {
    let empty = tempfile::tempdir().unwrap();
    assert_says(&error(empty.path()), &["the folder is empty"]);
    assert_says(&error(&empty.path().join("x")), &["no such file"]);
    assert_says(&error(folder(&[]).path()), &["no weights"]);

    let bare = folder(&[("model.safetensors", b"")]);
    fs::remove_file(bare.path().join("config.json")).unwrap();
    assert_says(&error(bare.path()), &["no config; expected config.json"]);
    assert_says(
        &error(&bare.path().join("model.safetensors")),
        &["no config; expected config.json"],
    );
}

#[test]
fn a_file_that_is_no_weights_is_told_what_is_read() {
    let text = folder(&[("readme.txt", b"x")]);
    assert_says(
        &error(&text.path().join("readme.txt")),
        &["another kind of file", "TensorFlow"],
    );
}

#[test]
fn a_file_and_an_index_of_the_same_format_are_ambiguous() {
    let both = folder(&[
        ("model.safetensors", b""),
        ("model.safetensors.index.json", b"{}"),
    ]);
    assert_says(
        &error(both.path()),
        &["both model.safetensors and model.safetensors.index.json"],
    );
}

#[test]
fn a_git_lfs_pointer_is_recognised() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    assert_safetensors_refused(pointer, "git lfs pull");
    let pickle = folder(&[("pytorch_model.bin", pointer)]);
    assert_says(&error(pickle.path()), &["git lfs pull"]);
}

#[test]
fn safetensors_headers_that_lie_are_refused() {
    let tensor = |name: &str, shape: &str, from: u64, to: u64| {
        format!(r#""{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}"#)
    };
    let one = |shape: &str, from, to| format!("{{{}}}", tensor("pooler.w", shape, from, to));
    let two = |a: String, b: String| format!("{{{a},{b}}}");

    assert_safetensors_refused(b"", "not a valid safetensors");
    assert_safetensors_refused(b"short", "not a valid safetensors");
    assert_safetensors_refused(&safetensors("not json", 0), "not a valid safetensors");
    assert_safetensors_refused(&safetensors("[]", 0), "not a valid safetensors");
    assert_safetensors_refused(&safetensors("{}", 0), "no weights");

    let mut claims_4_gb = safetensors("{}", 0);
    claims_4_gb[..8].copy_from_slice(&(4u64 << 30).to_le_bytes());
    assert_safetensors_refused(&claims_4_gb, "not a valid safetensors");
    let mut claims_everything = safetensors("{}", 0);
    claims_everything[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_safetensors_refused(&claims_everything, "not a valid safetensors");

    let deep = format!("{{\"x\":{}", "[".repeat(1_000_000));
    assert_safetensors_refused(&safetensors(&deep, 0), "not a valid safetensors");

    assert_safetensors_refused(
        &safetensors(&one("[2]", 0, 8), 4),
        "not a valid safetensors",
    );
    assert_safetensors_refused(
        &safetensors(&one("[2]", 0, 8), 12),
        "not a valid safetensors",
    );
    assert_safetensors_refused(
        &safetensors(&one("[3]", 0, 8), 8),
        "not a valid safetensors",
    );
    assert_safetensors_refused(
        &safetensors(&one("[2]", 8, 0), 8),
        "not a valid safetensors",
    );
    assert_safetensors_refused(
        &safetensors(&one("[2]", 0, u64::MAX), 8),
        "not a valid safetensors",
    );
    assert_safetensors_refused(
        &safetensors(&one("[4294967296,4294967296,4]", 0, 8), 8),
        "not a valid safetensors",
    );
    assert_safetensors_refused(
        &safetensors(&one("[-1]", 0, 4), 4),
        "not a valid safetensors",
    );

    let overlap = two(tensor("a", "[2]", 0, 8), tensor("b", "[2]", 4, 12));
    assert_safetensors_refused(&safetensors(&overlap, 12), "not a valid safetensors");
    let hole = two(tensor("a", "[1]", 0, 4), tensor("b", "[1]", 8, 12));
    assert_safetensors_refused(&safetensors(&hole, 12), "not a valid safetensors");
}

#[test]
fn two_tensors_of_one_name_are_ambiguous() {
    let tensor = r#""pooler.w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    let repeated = safetensors(&format!("{{{tensor},{tensor}}}"), 4);
    assert_safetensors_refused(&repeated, "'pooler.w' means the same weight as 'pooler.w'");

    let other = r#""nezha.pooler.w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}"#;
    let spelled = safetensors(&format!("{{{tensor},{other}}}"), 8);
    assert_safetensors_refused(&spelled, "means the same weight as");
}

#[test]
fn elements_that_no_weight_has_are_named() {
    let eight = r#"{"pooler.w":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}"#;
    assert_safetensors_refused(&safetensors(eight, 4), "'pooler.w' is stored as F8_E4M3");
}

#[test]
fn misaligned_tensors_are_read_all_the_same() {
    let header = r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"pooler.w":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}"#;
    let mut bytes = safetensors(header, 9);
    let end = bytes.len();
    bytes[end - 8..end - 4].copy_from_slice(&1.5f32.to_le_bytes());
    bytes[end - 4..].copy_from_slice(&(-2.0f32).to_le_bytes());
    let folder = folder(&[("model.safetensors", &bytes)]);
    let checkpoint = Checkpoint::open(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!(checkpoint.read_f32("nezha.pooler.w").unwrap(), [1.5, -2.0]);
    assert!(matches!(
        checkpoint.read_f32("a"),
        Err(CheckpointError::NoSuchWeight { .. })
    ));
}

#[test]
fn what_is_no_file_is_refused_without_waiting() {
    let folder = folder(&[]);
    fs::create_dir(folder.path().join("model.safetensors")).unwrap();
    assert_says(&error(folder.path()), &["expected a file"]);
}

#[cfg(unix)]
#[test]
fn links_that_lead_nowhere_end_in_an_error() {
    use std::os::unix::fs::symlink;

    let weights = folder(&[]);
    let name = weights.path().join("model.safetensors");
    symlink(&name, &name).unwrap();
    assert_says(&error(weights.path()), &["can't be read"]);

    let config = folder(&[("model.safetensors", b"")]);
    let name = config.path().join("config.json");
    fs::remove_file(&name).unwrap();
    symlink(&name, &name).unwrap();
    assert_says(&error(config.path()), &["config.json", "can't be read"]);

    let itself = config.path().join("itself");
    symlink(&itself, &itself).unwrap();
    assert_says(&error(&itself), &["can't be read"]);

    let dangling = folder(&[]);
    symlink("gone", dangling.path().join("model.safetensors")).unwrap();
    assert_says(&error(dangling.path()), &["no such file"]);
}

const INDEX: &str = "model.safetensors.index.json";

#[track_caller]
fn assert_index_refused(index: &str, needles: &[&str]) {
    let tensor = r#"{"pooler.w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let folder = folder(&[
        (INDEX, index.as_bytes()),
        ("one.safetensors", &safetensors(tensor, 4)),
    ]);
    assert_says(&error(folder.path()), &[&[INDEX], needles].concat());
}

#[test]
fn shards_outside_the_folder_are_never_opened() {
    for outside in [
        "../model.safetensors",
        "/etc/passwd",
        "a/../../x.safetensors",
        "..",
        ".",
        "",
        "c:\\x",
    ] {
        let index = serde_json::json!({"weight_map": {"pooler.w": outside}});
        assert_index_refused(&index.to_string(), &["plain name of a file"]);
    }
}

#[test]
fn shard_indexes_that_lie_are_refused() {
    assert_index_refused("", &["not a valid shard index"]);
    assert_index_refused("{}", &["weight_map"]);
    assert_index_refused(r#"{"weight_map": []}"#, &["not a valid shard index"]);
    assert_index_refused(r#"{"weight_map": {}}"#, &["empty"]);
    assert_index_refused(r#"{"weight_map": {"a": 1}}"#, &["not a valid shard index"]);
    assert_index_refused(
        &format!(r#"{{"weight_map": {}"#, "[".repeat(1_000_000)),
        &["not a valid shard index"],
    );
    assert_index_refused(
        r#"{"weight_map": {"a": "one.safetensors", "a": "one.safetensors"}}"#,
        &["'a' means the same weight as 'a'"],
    );
    assert_index_refused(
        r#"{"weight_map": {"pooler.w": "two.safetensors"}}"#,
        &["'two.safetensors', which is missing"],
    );
    assert_index_refused(
        r#"{"weight_map": {"pooler.x": "one.safetensors", "pooler.w": "one.safetensors"}}"#,
        &["'pooler.x'", "the shard has none"],
    );
    assert_index_refused(
        r#"{"weight_map": {"pooler.x": "one.safetensors"}}"#,
        &["'one.safetensors' about tensor 'pooler.w'"],
    );
}

#[track_caller]
fn assert_config_refused(config: &str, needles: &[&str]) {
    let folder = folder(&[
        ("config.json", config.as_bytes()),
        ("model.safetensors", b""),
    ]);
    assert_says(&error(folder.path()), &[&["config.json"], needles].concat());
}

#[test]
fn configs_that_are_no_nezhas_are_refused() {
    assert_config_refused("", &["not valid JSON"]);
    assert_config_refused("[]", &["found a list"]);
    assert_config_refused(&"[".repeat(1_000_000), &["not valid JSON"]);
    assert_config_refused(r#"{"model_type": "bert"}"#, &["another model's"]);
    assert_config_refused("{}", &["`use_relative_position` is absent"]);
    assert_config_refused(
        r#"{"use_relative_position": false}"#,
        &["`use_relative_position` is false", "BERT"],
    );
    assert_config_refused(
        r#"{"use_relative_position": 1}"#,
        &["`use_relative_position`: expected true or false"],
    );
    assert_config_refused(
        r#"{"use_relative_position": true, "vocab_size": 30522}"#,
        &["'max_relative_position'"],
    );
    let folder = folder(&[("config.json", &[0xff, 0xfe]), ("model.safetensors", b"")]);
    assert_says(&error(folder.path()), &["config.json", "UTF-8"]);
}

#[test]
fn configs_that_claim_more_than_memory_holds_are_refused() {
    assert_config_refused(
        r#"{"model_type": "nezha", "hidden_size": 16777216, "num_attention_heads": 1,
            "max_relative_position": 32768}"#,
        &["a table of relative positions with 1099528404992 elements"],
    );
    assert_config_refused(
        r#"{"model_type": "nezha", "num_labels": 16777216}"#,
        &["`num_labels` is 16777216, expected 1 to 65536"],
    );
}

#[test]
fn hostile_pickles_are_refused_and_never_run() {
    let hostile = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints/hostile");
    for (file, needle) in [
        ("os-system-alone.bin", "system"),
        ("os-system-in-zip.bin", "`posix.system`"),
        ("os-system-in-legacy.bin", "`posix.system`"),
        ("expanded.bin", "claims more bytes than the whole file"),
        ("sparse.bin", "sparse"),
        ("bare-pickle.bin", "`posix.system`"),
        ("no-pickle.bin", "data.pkl"),
        ("deep.bin", "nesting"),
    ] {
        assert_says(&error(&hostile.join(file)), &[file, needle]);
    }
    assert!(!Path::new("nezha-onnx-was-here").exists(), "it was run");
}

#[test]
fn a_storage_that_is_missing_is_an_error_of_reading() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints/hostile/missing-storage.bin");
    let says = match Checkpoint::open(&file, &OpenOptions::default()) {
        Err(error) => error_chain(&error),
        Ok(checkpoint) => match checkpoint.digest() {
            Err(error) => error_chain(&error),
            Ok(digest) => panic!("a file without storages has the digest {digest}"),
        },
    };
    assert!(says.contains("missing-storage.bin"), "{says}");
}

#[test]
fn a_file_truncated_while_open_is_read_from_memory_or_fails() {
    let truncate = |path: &Path| fs::File::create(path).map(drop).unwrap();

    let mapless = folder(&[(
        "model.safetensors",
        &sample("safetensors/model.safetensors"),
    )]);
    let options = OpenOptions::default().mmap(false);
    let checkpoint = Checkpoint::open(mapless.path(), &options).unwrap();
    let before = checkpoint.digest().unwrap();
    truncate(&mapless.path().join("model.safetensors"));
    assert_eq!(checkpoint.digest().unwrap(), before);

    let pickle = folder(&[("pytorch_model.bin", &sample("zip/pytorch_model.bin"))]);
    let checkpoint = Checkpoint::open(pickle.path(), &OpenOptions::default()).unwrap();
    truncate(&pickle.path().join("pytorch_model.bin"));
    match checkpoint.digest() {
        Err(error) => assert_says(&error, &["pytorch_model.bin"]),
        Ok(digest) => panic!("an empty file has the digest {digest}"),
    }
}

/// Opens whatever is there. It is refused by the name of its file, or it is a checkpoint: each weight
/// has as many elements as its shape says, in one piece and in chunks, and each run over them finds
/// the same.
fn is_refused_or_sound(name: &str, bytes: &[u8]) {
    let folder = folder(&[(name, bytes)]);
    let checkpoint = match Checkpoint::open(folder.path(), &OpenOptions::default()) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return assert_says(&error, &[name]),
    };
    assert!(!checkpoint.weights().is_empty(), "{name} has no weights");
    let digest = || checkpoint.digest().map_err(|error| error.to_string());
    assert_eq!(digest(), digest(), "{name}");
    for weight in checkpoint.weights() {
        let name = &weight.name;
        let Ok(whole) = checkpoint.read_f32(name) else {
            assert!(
                digest().is_err(),
                "a digest over '{name}', which can't be read"
            );
            continue;
        };
        assert_eq!(whole.len(), weight.elements(), "elements of '{name}'");
        let mut joined = Vec::new();
        let read = checkpoint.read_f32_chunks(name, 7, |chunk| {
            joined.extend_from_slice(chunk);
            Ok::<(), CheckpointError>(())
        });
        read.unwrap_or_else(|error| panic!("'{name}' in chunks: {error}"));
        if !whole.is_empty() {
            let [whole, joined] = [whole, joined].map(Array1::from);
            assert_near("in chunks", name, &whole, &joined, Tolerance::Bits);
        }
    }
}

fn sample(path: &str) -> Vec<u8> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints");
    fs::read(samples.join(path)).unwrap()
}

const SAMPLES: [(&str, &str); 5] = [
    ("safetensors/model.safetensors", "model.safetensors"),
    ("zip/pytorch_model.bin", "pytorch_model.bin"),
    ("legacy/pytorch_model.bin", "pytorch_model.bin"),
    ("huawei/pytorch_model.bin", "pytorch_model.bin"),
    (
        "sharded-bin/pytorch_model.bin.index.json",
        "pytorch_model.bin.index.json",
    ),
];

#[test]
fn truncated_files_are_refused() {
    for (path, name) in SAMPLES {
        let whole = sample(path);
        for length in [0, 1, 7, 8, 63, 100, whole.len() / 2, whole.len() - 3] {
            let folder = folder(&[(name, &whole[..length])]);
            assert_says(&error(folder.path()), &[name]);
        }
    }
}

/// Cases of a run of each of the two tests below.
const CASES: u32 = 300;

const REGRESSIONS: &str = "tests/checkpoint_attacks.regressions";

#[test]
fn any_change_of_a_real_file_is_refused_or_gives_a_sound_checkpoint() {
    let change = (any::<prop::sample::Index>(), any::<u8>());
    let changes = prop::collection::vec(change, 1..8);
    let case = (0..SAMPLES.len(), changes);
    let result = random::runner(CASES, REGRESSIONS).run(&case, |(which, changes)| {
        let (path, name) = SAMPLES[which];
        let mut bytes = sample(path);
        for (at, value) in changes {
            let index = at.index(bytes.len());
            bytes[index] = value;
        }
        is_refused_or_sound(name, &bytes);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn any_bytes_are_refused_or_give_a_sound_checkpoint() {
    let case = (any::<Vec<u8>>(), 0..SAMPLES.len());
    let result = random::runner(CASES, REGRESSIONS).run(&case, |(bytes, which)| {
        is_refused_or_sound(SAMPLES[which].1, &bytes);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
