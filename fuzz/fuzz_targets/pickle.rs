//! A `pytorch_model.bin`: whole files, zip and legacy, and pickles in a sound zip.
#![no_main]

use std::io::{Cursor, Write};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nezha_exporter::checkpoint::OpenOptions;
use nezha_fuzz::{CONFIG, Folder};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What a zip starts with, and the start of the pickles of a legacy file.
const WHOLE: [&[u8]; 2] = [b"PK\x03\x04", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"];

static FOLDER: LazyLock<Folder> =
    LazyLock::new(|| Folder::new(&[("config.json", CONFIG.as_bytes())]));

fuzz_target!(|input: &[u8]| {
    let whole = WHOLE.iter().any(|start| input.starts_with(start));
    match whole {
        true => FOLDER.write("pytorch_model.bin", input),
        false => FOLDER.write("pytorch_model.bin", &zipped(input)),
    }
    let _ = FOLDER.read(&OpenOptions::default());
});

/// The zip that `torch.save` would write around a pickle, with two storages of 64 bytes.
///
/// Its checksums are right, which the fuzzer would hardly find.
fn zipped(pickle: &[u8]) -> Vec<u8> {
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let entries: [(&str, &[u8]); 5] = [
        ("archive/data.pkl", pickle),
        ("archive/byteorder", b"little"),
        ("archive/data/0", &[1; 64]),
        ("archive/data/1", &[2; 64]),
        ("archive/version", b"3\n"),
    ];
    for (name, bytes) in entries {
        zip.start_file(name, stored).expect("an entry");
        zip.write_all(bytes).expect("its bytes");
    }
    zip.finish().expect("a zip in memory").into_inner()
}
