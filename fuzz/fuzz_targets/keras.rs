//! A `best_model.h5`: an HDF5 file as Keras writes it.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use nezha_exporter::checkpoint::{Format, OpenOptions};
use nezha_fuzz::{CONFIG, read_from_memory};

fuzz_target!(|input: &[u8]| {
    let bytes = Bytes::copy_from_slice(input);
    let options = OpenOptions::default();
    let _ = read_from_memory("best_model.h5", CONFIG, bytes, Format::Keras, &options);
});
