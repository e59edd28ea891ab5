//! A packed model: whole files, and parts with a list in a sound zip archive, split by zero bytes.
#![no_main]

use std::io::{Cursor, Write};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use nezha_graphs::Artifact;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The name of the list.
const MANIFEST: &str = "nezha-artifact.json";

fuzz_target!(|input: &[u8]| {
    read(input.to_vec());
    if let Some(packed) = zipped(input) {
        read(packed);
    }
});

/// What opens comes back from its own packed form; an error is a good answer, too.
fn read(bytes: Vec<u8>) {
    let Ok(artifact) = Artifact::from_packed(bytes) else {
        return;
    };
    let names = artifact.names().expect("names in memory");
    let mut packed = Vec::new();
    artifact.pack(&mut packed).expect("what was read");
    let again = Artifact::from_packed(packed).expect("what was written");
    assert_eq!(again.names().expect("names in memory"), names);
    for name in names {
        let parts: [Option<Bytes>; 2] = [&artifact, &again].map(|it| it.part(&name).expect("a part"));
        assert_eq!(parts[0], parts[1], "{name}");
    }
}

/// The list, then a name and a content by turns.
fn zipped(input: &[u8]) -> Option<Vec<u8>> {
    let mut pieces = input.split(|it| *it == 0);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    let manifest = pieces.next()?;
    while let Some(name) = pieces.next() {
        let name = std::str::from_utf8(name).ok()?;
        zip.start_file(name, options).ok()?;
        zip.write_all(pieces.next().unwrap_or_default()).ok()?;
    }
    zip.start_file(MANIFEST, options).ok()?;
    zip.write_all(manifest).ok()?;
    Some(zip.finish().ok()?.into_inner())
}
