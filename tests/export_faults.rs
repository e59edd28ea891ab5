//! `nezha export` when things go wrong around it: killed, out of disk, out of memory, forbidden to
//! write. The folder then holds the artifact that was there before, whole, or the new one, whole.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use testkit::command::{stderr, succeeded};
use testkit::faults::{moments, with_mounts};
use testkit::repository;

const NEZHA: &str = env!("CARGO_BIN_EXE_nezha");

fn export(checkpoint: &Path, target: &Path, weights: &str) -> Command {
    let mut command = Command::new(NEZHA);
    command
        .arg("export")
        .arg(checkpoint)
        .args(["--force", "--weights", weights, "-o"])
        .arg(target);
    command
}

/// The `.onnx` and weights files in a folder.
fn artifact(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    entries
        .filter(|path| {
            path.extension()
                .is_some_and(|it| it == "onnx" || it == "onnx_data")
        })
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(&path).unwrap())
        })
        .collect()
}

/// An artifact of `checkpoint` that nothing happened to.
fn made(checkpoint: &Path, weights: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    succeeded(export(checkpoint, folder.path(), weights).output().unwrap());
    let made = artifact(folder.path());
    assert!(!made.is_empty(), "nothing was made");
    made
}

/// Whether `folder` holds every file of `expected`, byte for byte.
fn holds(folder: &Path, expected: &BTreeMap<String, Vec<u8>>) -> bool {
    let there = artifact(folder);
    expected
        .iter()
        .all(|(name, bytes)| there.get(name) == Some(bytes))
}

/// Waits for an export at most this long; how long it took, or none if it had to be killed.
fn finished_within(child: &mut Child, limit: Duration) -> Option<Duration> {
    let start = Instant::now();
    while start.elapsed() < limit {
        if child.try_wait().unwrap().is_some() {
            return Some(start.elapsed());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    status.code().is_some().then(|| start.elapsed())
}

fn killed_a_hundred_times(weights: &str) {
    let checkpoints =
        ["nezha-tiny-zh", "nezha-tiny-zh-sentiment"].map(|name| repository("models").join(name));
    let whole = checkpoints.each_ref().map(|it| made(it, weights));
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    succeeded(
        export(&checkpoints[0], folder.path(), weights)
            .output()
            .unwrap(),
    );

    // How long an export takes changes with what else the machine does: those that finish say so,
    // and the time grows until the next one does.
    let mut duration = start.elapsed();
    let mut killed = 0;
    for (i, moment) in moments().enumerate() {
        let mut child = export(&checkpoints[i % 2], folder.path(), weights)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        match finished_within(&mut child, duration.mul_f64(moment)) {
            Some(took) => duration = took,
            None => {
                killed += 1;
                duration = duration.mul_f64(1.02);
            }
        }
        assert!(
            whole.iter().any(|it| holds(folder.path(), it)),
            "after export {i}, {moment:.2} of {duration:?} into it, neither artifact is whole: {:?}",
            artifact(folder.path()).keys()
        );
        if killed == 100 {
            break;
        }
        assert!(i < 1000, "only {killed} of {i} exports were caught");
    }

    succeeded(
        export(&checkpoints[0], folder.path(), weights)
            .output()
            .unwrap(),
    );
    assert!(
        artifact(folder.path()) == whole[0],
        "something is left over"
    );
    let partial = fs::read_dir(folder.path()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().ends_with(".partial")
    });
    assert_eq!(partial.count(), 0, "files in the making are left over");
}

#[test]
fn an_embedded_export_killed_at_any_moment_leaves_a_whole_artifact() {
    killed_a_hundred_times("embedded");
}

#[test]
fn an_external_export_killed_at_any_moment_leaves_a_whole_artifact() {
    killed_a_hundred_times("external");
}

#[test]
fn a_full_disk_leaves_the_old_artifact_at_whatever_byte_it_fills() {
    let old = repository("tests/fixtures/reach-4/masked-lm");
    let new = repository("models/nezha-tiny-zh");
    let mut codes = Vec::new();
    for weights in ["embedded", "external"] {
        // The old artifact takes less than 200 kB, the new one 7 MB and its vocabulary 110 kB.
        for kilobytes in [256, 1000, 4000, 7000, 7400, 16_000] {
            let folder = tempfile::tempdir().unwrap();
            let [target, kept] = ["target", "kept"].map(|it| folder.path().join(it));
            fs::create_dir(&target).unwrap();
            let script = format!(
                "mount -t tmpfs -o size={kilobytes}k tmpfs \"$2\"
                 \"$1\" export \"$4\" -o \"$2\" --weights {weights} >&2
                 code=0
                 \"$1\" export \"$5\" -o \"$2\" --weights {weights} --force || code=$?
                 cp -r \"$2\" \"$3\"
                 exit $code"
            );
            let output = with_mounts(&script, &[Path::new(NEZHA), &target, &kept, &old, &new]);
            let context = format!("{weights}, {kilobytes} kB: {output:?}");
            let code = output.status.code();
            let expected = match code {
                Some(0) => made(&new, weights),
                Some(1) => made(&old, weights),
                _ => panic!("{context}"),
            };
            assert!(artifact(&kept) == expected, "{context}");
            let extra = fs::read_dir(&kept).unwrap().filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_str().unwrap().starts_with('.')
            });
            assert_eq!(extra.count(), 0, "{context}");
            if code == Some(1) {
                let message = stderr(&output);
                assert!(message.contains("free some space"), "{context}");
            }
            codes.push(code);
        }
    }
    for code in [0, 1] {
        assert!(codes.contains(&Some(code)), "no export ended with {code}");
    }
}

#[test]
fn a_read_only_target_is_refused_and_left_alone() {
    let checkpoint = repository("tests/fixtures/reach-4/masked-lm");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.onnx"), "old").unwrap();
    let script = "mount --bind \"$2\" \"$2\"
                  mount -o remount,bind,ro \"$2\"
                  \"$1\" export \"$3\" -o \"$2\" --force";
    let output = with_mounts(script, &[Path::new(NEZHA), folder.path(), &checkpoint]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let message = stderr(&output);
    assert!(message.contains("Read-only"), "{message}");
    assert!(message.contains("choose a folder"), "{message}");
    let there = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(there, 1, "{output:?}");
    assert_eq!(fs::read(folder.path().join("model.onnx")).unwrap(), b"old");
}

#[test]
fn an_export_needs_less_memory_than_its_largest_tensor() {
    let checkpoint = sparse_checkpoint();
    let largest = 21_128 * 768 * 4;
    let limit_kilobytes = 32 * 1024;
    assert!(limit_kilobytes * 1024 < largest);
    for weights in ["embedded", "external"] {
        let target = tempfile::tempdir().unwrap();
        // Limits all private memory that can be written to; the mapped checkpoint is not.
        let script = format!(
            "ulimit -d {limit_kilobytes} && exec \"$1\" export \"$2\" -o \"$3\" --weights {weights}"
        );
        let output = Command::new("sh")
            .args(["-euc", &script, "sh", NEZHA])
            .args([checkpoint.path(), target.path()])
            .output()
            .unwrap();
        assert!(output.status.success(), "{weights}: {output:?}");
        let bytes: usize = artifact(target.path()).values().map(Vec::len).sum();
        assert!(bytes > largest, "{weights}: {bytes} bytes");
    }
}

/// One layer of the size of NEZHA-base under the whole vocabulary; its zeros take no room on disk.
fn sparse_checkpoint() -> tempfile::TempDir {
    let (vocabulary, hidden, intermediate) = (21_128, 768, 3072);
    let layer = "nezha.encoder.layer.0";
    let mut shapes = vec![
        (
            "nezha.embeddings.word_embeddings.weight".to_owned(),
            vec![vocabulary, hidden],
        ),
        (
            "nezha.embeddings.token_type_embeddings.weight".to_owned(),
            vec![2, hidden],
        ),
    ];
    for (name, to, from) in [
        ("attention.self.query", hidden, hidden),
        ("attention.self.key", hidden, hidden),
        ("attention.self.value", hidden, hidden),
        ("attention.output.dense", hidden, hidden),
        ("intermediate.dense", intermediate, hidden),
        ("output.dense", hidden, intermediate),
    ] {
        shapes.push((format!("{layer}.{name}.weight"), vec![to, from]));
        shapes.push((format!("{layer}.{name}.bias"), vec![to]));
    }
    for name in [
        "nezha.embeddings",
        "nezha.encoder.layer.0.attention.output",
        "nezha.encoder.layer.0.output",
    ] {
        for kind in ["weight", "bias"] {
            shapes.push((format!("{name}.LayerNorm.{kind}"), vec![hidden]));
        }
    }
    let mut end = 0;
    let mut header = serde_json::Map::new();
    for (name, shape) in shapes {
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        let tensor = serde_json::json!({
            "dtype": "F32", "shape": shape, "data_offsets": [start, end],
        });
        header.insert(name, tensor);
    }
    let header = serde_json::Value::Object(header).to_string();
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    let weights = folder.path().join("model.safetensors");
    fs::write(&weights, &bytes).unwrap();
    let file = fs::File::options().write(true).open(&weights).unwrap();
    file.set_len((bytes.len() + end) as u64).unwrap();
    let config =
        r#"{"model_type": "nezha", "architectures": ["NezhaModel"], "num_hidden_layers": 1}"#;
    fs::write(folder.path().join("config.json"), config).unwrap();
    folder
}
