#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use super::*;
use crate::error_chain;

/// A graph, weights and a file in a folder of its own, none a multiple of anything.
fn parts() -> Vec<(&'static str, Vec<u8>)> {
    // No content is found in another: they rise by different steps.
    let bytes = |length: usize| (0..length).map(|it| (it * length) as u8).collect();
    vec![
        ("model.onnx", bytes(1001)),
        ("onnx/model_int8.onnx", bytes(77)),
        ("vocab.txt", Vec::new()),
        ("weights.0123.onnx_data", bytes(4097)),
    ]
}

fn packed() -> Vec<u8> {
    let artifact = Artifact::from_parts(parts()).unwrap();
    let mut packed = Vec::new();
    artifact.pack(&mut packed).unwrap();
    packed
}

/// Where some bytes are in others.
fn place(bytes: &[u8], of: &[u8]) -> usize {
    bytes.windows(of.len()).position(|it| it == of).unwrap()
}

fn refused(bytes: Vec<u8>) -> String {
    match Artifact::from_packed(bytes) {
        Ok(artifact) => panic!("taken, with {:?}", artifact.names()),
        Err(error) => error_chain(&error),
    }
}

#[test]
fn a_folder_comes_back_byte_for_byte_and_packs_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (before, after) = (folder.path().join("before"), folder.path().join("after"));
    let memory = Artifact::from_parts(parts()).unwrap();
    memory.unpack(&before, false).unwrap();
    let file = folder.path().join("model.nezha");
    Artifact::open(&before)
        .unwrap()
        .pack_to(&file, false)
        .unwrap();
    assert!(is_packed(&file) && !is_packed(before.join("model.onnx")));
    assert_eq!(
        fs::read(&file).unwrap(),
        packed(),
        "packed from memory and from a folder"
    );
    Artifact::open(&file)
        .unwrap()
        .unpack(&after, false)
        .unwrap();
    for (name, bytes) in parts() {
        assert_eq!(fs::read(after.join(name)).unwrap(), bytes, "{name}");
    }
    let names = Artifact::open(&after).unwrap().names().unwrap();
    assert_eq!(names, parts().iter().map(|it| it.0).collect::<Vec<_>>());
}

#[test]
fn nothing_is_written_over_a_file_unless_asked() {
    let folder = tempfile::tempdir().unwrap();
    let artifact = Artifact::from_parts(parts()).unwrap();
    fs::write(folder.path().join("vocab.txt"), "mine").unwrap();
    let error = artifact.unpack(folder.path(), false).unwrap_err();
    assert!(
        matches!(error, ArtifactError::Write(FileError::Exists { .. })),
        "{error}"
    );
    assert!(!artifact.path_of("model.onnx").exists() && !folder.path().join("model.onnx").exists());
    artifact.unpack(folder.path(), true).unwrap();
    assert_eq!(fs::read(folder.path().join("vocab.txt")).unwrap(), b"");
}

#[test]
fn parts_are_views_of_the_packed_bytes_at_multiples_of_64() {
    let bytes = Bytes::from(packed());
    let artifact = Artifact::from_packed(bytes.clone()).unwrap();
    for (name, expected) in parts() {
        let part = artifact.part(name).unwrap().unwrap();
        assert_eq!(part, expected, "{name}");
        let offset = part.as_ptr() as usize - bytes.as_ptr() as usize;
        assert!(
            offset.is_multiple_of(64) && offset < bytes.len(),
            "{name} at {offset}"
        );
    }
    assert!(artifact.part("config.json").unwrap().is_none());
}

#[test]
fn a_changed_byte_is_told_by_the_part_that_it_is_in() {
    for (name, bytes) in parts().into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let mut packed = packed();
        let start = place(&packed, &bytes);
        packed[start + bytes.len() / 2] ^= 1;
        let error = refused(packed);
        let expected =
            format!("the model in memory: part '{name}' is not what was packed: its SHA-256 is ");
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn what_is_cut_short_anywhere_is_refused() {
    let packed = packed();
    for length in 0..packed.len() {
        let error = refused(packed[..length].to_vec());
        assert!(
            error.contains("cut short"),
            "{length} of {}: {error}",
            packed.len()
        );
    }
}

/// A zip archive of these entries and this list.
fn zip(entries: &[(&str, &[u8])], manifest: &str, method: zip::CompressionMethod) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in entries {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.start_file(packed::MANIFEST, options).unwrap();
    zip.write_all(manifest.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn parts_that_do_not_match_the_list_are_told_by_name() {
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let stored = |entries: &[(&str, &[u8])], parts: &str| {
        let manifest = format!(r#"{{"nezha_artifact": 1, "parts": {{{parts}}}}}"#);
        refused(zip(entries, &manifest, zip::CompressionMethod::Stored))
    };
    let listed =
        |name: &str, bytes: u64| format!(r#""{name}": {{"bytes": {bytes}, "sha256": "{EMPTY}"}}"#);
    for (found, expected) in [
        (
            stored(&[], &listed("model.onnx", 0)),
            "part 'model.onnx' is missing",
        ),
        (
            stored(&[("a", b"")], ""),
            "part 'a' is not in the list of parts",
        ),
        (
            stored(&[("a", b"x")], &listed("a", 0)),
            "part 'a' has 1 bytes, expected 0",
        ),
        (
            stored(&[("../a", b"")], &listed("../a", 0)),
            "part '../a' has an invalid name",
        ),
        (
            stored(&[("/a", b"")], &listed("/a", 0)),
            "part '/a' has an invalid name",
        ),
        (
            stored(&[("a", b"")], "\"a\": 1"),
            "its list of parts can't be used: ",
        ),
    ] {
        assert!(found.contains(expected), "{found}\nexpected {expected}");
    }
    let other = refused(zip(
        &[],
        r#"{"nezha_artifact": 2, "parts": {}}"#,
        zip::CompressionMethod::Stored,
    ));
    assert!(other.contains("version 2, this program reads 1"), "{other}");
    let none = refused(
        zip::ZipWriter::new(io::Cursor::new(Vec::new()))
            .finish()
            .unwrap()
            .into_inner(),
    );
    assert!(none.contains("not a zip archive"), "{none}");
}

/// A zip archive with these bytes where a header of the kind has a field, in each header or in the first.
fn with_field(mut zip: Vec<u8>, header: &[u8; 4], field: usize, value: u8) -> Vec<u8> {
    let start = place(&zip, header);
    zip[start + field] = value;
    zip
}

/// What each entry's header starts with in the directory at the end.
const DIRECTORY: &[u8; 4] = b"PK\x01\x02";

#[test]
fn parts_that_were_swapped_compressed_encrypted_or_named_alike_are_told_by_name() {
    let mut swapped = packed();
    let (short, long) = (&parts()[1].1, &parts()[0].1);
    let (a, b) = (place(&swapped, short), place(&swapped, long));
    for offset in 0..short.len() {
        swapped.swap(a + offset, b + offset);
    }
    let error = refused(swapped);
    assert!(
        error.contains("part 'model.onnx' is not what was packed"),
        "{error}"
    );

    let first = "the model in memory: part 'model.onnx' ";
    let odd = format!("{first}is compressed or encrypted, expected plain bytes");
    for (field, value) in [(8, 1), (10, 8)] {
        assert_eq!(refused(with_field(packed(), DIRECTORY, field, value)), odd);
    }
    // Its header here, and that of the directory: the length of the name, then another place.
    let elsewhere = with_field(packed(), DIRECTORY, 42, 7);
    assert!(
        refused(elsewhere).contains("cut short"),
        "no header is there"
    );

    // Names of the same length: one becomes the other, as no writer of archives would have it.
    let manifest = |names: [&str; 2]| {
        let sha = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let listed = names.map(|it| format!(r#""{it}": {{"bytes": 0, "sha256": "{sha}"}}"#));
        format!(
            r#"{{"nezha_artifact": 1, "parts": {{{}}}}}"#,
            listed.join(", ")
        )
    };
    let stored = |names| {
        zip(
            &[("aa", b""), ("ab", b"")],
            &manifest(names),
            zip::CompressionMethod::Stored,
        )
    };
    assert!(Artifact::from_packed(stored(["aa", "ab"])).is_ok());
    let error = refused(stored(["aa", "aa"]));
    assert!(
        error.contains("its list of parts can't be used: part 'aa' is there twice"),
        "{error}"
    );
    let mut alike = stored(["aa", "ab"]);
    while let Some(start) = alike
        .windows(6)
        .position(|it| it.starts_with(b"ab") && it[2..4] == *b"PK")
    {
        alike[start + 1] = b'a';
    }
    let error = refused(alike);
    assert!(
        error.contains("part 'ab' is missing") || error.contains("is there twice"),
        "{error}"
    );
}

#[test]
fn headers_for_files_above_four_gigabytes_are_read() {
    let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    let large = zip::write::SimpleFileOptions::default().large_file(true);
    let large = large.compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in parts() {
        zip.start_file(name, large).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    // The list that the same parts have otherwise.
    let listed = packed();
    let start = place(&listed, b"{\"nezha_artifact\"");
    let end = start + place(&listed[start..], b"PK");
    zip.start_file(packed::MANIFEST, large).unwrap();
    zip.write_all(&listed[start..end]).unwrap();
    let artifact = Artifact::from_packed(zip.finish().unwrap().into_inner()).unwrap();
    for (name, bytes) in parts() {
        assert_eq!(artifact.part(name).unwrap().unwrap(), bytes, "{name}");
    }
}

#[test]
fn trusted_bytes_are_held_to_places_and_lengths_only() {
    let sound = packed();
    let mut changed = sound.clone();
    let start = place(&changed, &parts()[0].1);
    changed[start] ^= 1;
    let artifact = Artifact::from_packed_trusted(changed.clone()).unwrap();
    assert_eq!(
        artifact.part("model.onnx").unwrap().unwrap(),
        changed[start..start + 1001]
    );
    assert!(Artifact::from_packed_trusted(sound[..sound.len() - 1].to_vec()).is_err());
}

#[test]
fn parts_are_shared_unless_they_are_the_artifacts_own_buffer() {
    static BYTES: &[u8] = b"static";
    let own = Bytes::from(vec![1, 2, 3]);
    let held = own.clone();
    let of = |bytes: Bytes| Artifact::from_parts([("a", bytes)]).unwrap().is_shared();
    assert!(of(BYTES.into()), "static");
    assert!(of(own), "held by somebody else, too");
    drop(held);
    assert!(!of(Bytes::from(vec![1, 2, 3])), "its own");
    assert!(!Artifact::from_packed(packed()).unwrap().is_shared());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.nezha");
    fs::write(&file, packed()).unwrap();
    assert!(Artifact::open(&file).unwrap().is_shared(), "mapped");
}

#[test]
fn a_thousand_parts_too_many_are_refused() {
    let names: Vec<String> = (0..2000).map(|it| it.to_string()).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|it| (it.as_str(), &b""[..])).collect();
    let error = refused(zip(&entries, "{}", zip::CompressionMethod::Stored));
    assert_eq!(error, "the model in memory: 2001 parts, more than 1024");
    let parts = names.iter().map(|it| (it.as_str(), Bytes::new()));
    let error = Artifact::from_parts(parts)
        .unwrap()
        .pack(&mut io::sink())
        .unwrap_err();
    assert!(
        matches!(error, ArtifactError::TooMany { found: 2000, .. }),
        "{error}"
    );
}

#[test]
fn names_that_lead_out_of_a_folder_are_no_parts() {
    for name in [
        "",
        ".",
        "..",
        "a/../b",
        "/a",
        "a/",
        "a\\b",
        "c:x",
        "a\nb",
        packed::MANIFEST,
    ] {
        let error = Artifact::from_parts([(name, Bytes::new())]).unwrap_err();
        assert!(
            matches!(
                error,
                ArtifactError::Part {
                    error: PartError::Name,
                    ..
                }
            ),
            "{name:?}: {error}"
        );
    }
    let error = Artifact::from_parts([("a", Bytes::new()), ("a", Bytes::new())]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model in memory: part 'a' is there twice"
    );
}
