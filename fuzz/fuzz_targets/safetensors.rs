//! A `model.safetensors`: a length, a header and data.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nezha_exporter::checkpoint::OpenOptions;
use nezha_fuzz::{CONFIG, Folder};

static FOLDER: LazyLock<Folder> = LazyLock::new(|| Folder::new(&[("config.json", CONFIG)]));

fuzz_target!(|input: &[u8]| {
    FOLDER.write("model.safetensors", &framed(input));
    for mmap in [true, false] {
        let _ = FOLDER.read(&OpenOptions::default().mmap(mmap));
    }
});

/// A file whose length fits its header, so that changes of the header get past it; a file that
/// starts with `#` is taken as it is behind that.
fn framed(input: &[u8]) -> Vec<u8> {
    if let Some(whole) = input.strip_prefix(b"#") {
        return whole.to_vec();
    }
    let header = input
        .iter()
        .rposition(|&it| it == b'}')
        .map_or(input.len(), |at| at + 1);
    [&(header as u64).to_le_bytes(), input].concat()
}
