//! A `model.safetensors`: a length, a header and data.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use nezha_exporter::checkpoint::{Format, OpenOptions};
use nezha_fuzz::{CONFIG, read_from_memory};

fuzz_target!(|input: &[u8]| {
    let bytes = Bytes::from(framed(input));
    let options = OpenOptions::default();
    let _ = read_from_memory(
        "model.safetensors",
        CONFIG,
        bytes,
        Format::Safetensors,
        &options,
    );
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
