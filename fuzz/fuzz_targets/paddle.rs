//! A `model_state.pdparams`: a pickle of NumPy arrays.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nezha_exporter::checkpoint::OpenOptions;
use nezha_fuzz::{CONFIG, Folder};

/// PROTO and its version, without which no file is taken for a pickle.
const START: [u8; 2] = [0x80, 4];

static FOLDER: LazyLock<Folder> = LazyLock::new(|| Folder::new(&[("config.json", CONFIG)]));

fuzz_target!(|input: &[u8]| {
    match input.starts_with(&[0x80]) {
        true => FOLDER.write("model_state.pdparams", input),
        false => FOLDER.write("model_state.pdparams", &[&START, input].concat()),
    }
    let _ = FOLDER.read(&OpenOptions::default());
});
