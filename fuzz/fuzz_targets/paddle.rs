//! A `model_state.pdparams`: a pickle of NumPy arrays.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use nezha_exporter::checkpoint::{Format, OpenOptions};
use nezha_fuzz::{CONFIG, read_from_memory};

/// PROTO and its version, without which no file is taken for a pickle.
const START: [u8; 2] = [0x80, 4];

fuzz_target!(|input: &[u8]| {
    let bytes = match input.starts_with(&[0x80]) {
        true => Bytes::copy_from_slice(input),
        false => Bytes::from([&START, input].concat()),
    };
    let options = OpenOptions::default();
    let _ = read_from_memory(
        "model_state.pdparams",
        CONFIG,
        bytes,
        Format::Paddle,
        &options,
    );
});
