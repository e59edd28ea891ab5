#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use std::io::Write;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

const LIBRARY: &str = "libonnxruntime.so.1.31.1";

fn sha256(content: &[u8]) -> &'static str {
    let digest = Sha256::digest(content);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.leak()
}

/// A wheel with a library of this content, and a file beside it that must not be unpacked.
fn archive(content: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
    for name in [LIBRARY, "../../escape.so"] {
        let path = format!("onnxruntime/capi/{name}");
        zip.start_file(path, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn pinned(archive: &[u8], content: &[u8]) -> Wheel {
    Wheel {
        platform: "any",
        sha256: sha256(archive),
        folder: "onnxruntime/capi",
        libraries: vec![(LIBRARY, sha256(content))].leak(),
    }
}

/// Does what pip does: puts the archive into the folder.
fn put(archive: Vec<u8>) -> impl FnOnce(&Path) -> Result<PathBuf, SetupError> {
    move |target| {
        let path = target.join("package.whl");
        fs::write(&path, archive).map_err(at(&path))?;
        Ok(path)
    }
}

#[test]
fn a_wheel_is_installed_once_and_then_kept() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("onnxruntime");
    let archive = archive(b"library");
    let wheel = pinned(&archive, b"library");
    let first = install(&wheel, &folder, put(archive)).unwrap();
    assert_eq!(fs::read(&first.library).unwrap(), b"library");
    let second = install(&wheel, &folder, |_| panic!("downloaded again")).unwrap();
    assert_eq!((first.kept, second.kept), (false, true));
    let left: Vec<_> = fs::read_dir(cache.path()).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "beside the folder: {left:?}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn a_library_that_was_damaged_is_replaced() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("onnxruntime");
    let archive = archive(b"library");
    let wheel = pinned(&archive, b"library");
    let first = install(&wheel, &folder, put(archive.clone())).unwrap();
    fs::write(&first.library, b"librar").unwrap();
    let second = install(&wheel, &folder, put(archive)).unwrap();
    assert!(!second.kept);
    assert_eq!(fs::read(&second.library).unwrap(), b"library");
}

#[test]
fn another_wheel_than_the_pinned_one_installs_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("onnxruntime");
    let wheel = pinned(&archive(b"library"), b"library");
    let error = install(&wheel, &folder, put(archive(b"other"))).unwrap_err();
    assert!(matches!(error, SetupError::Checksum { .. }), "{error}");
    assert!(!folder.exists());
}

#[test]
fn a_download_that_fails_leaves_nothing_behind() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("onnxruntime");
    let wheel = pinned(b"", b"");
    let error = install(&wheel, &folder, |_| Err(SetupError::NoPip)).unwrap_err();
    assert!(matches!(error, SetupError::NoPip), "{error}");
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
}
