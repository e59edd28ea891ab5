//! A `best_model.h5`: an HDF5 file as Keras writes it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nezha_exporter::checkpoint::OpenOptions;
use nezha_fuzz::{CONFIG, Folder};

static FOLDER: LazyLock<Folder> = LazyLock::new(|| Folder::new(&[("config.json", CONFIG)]));

fuzz_target!(|input: &[u8]| {
    FOLDER.write("best_model.h5", input);
    let _ = FOLDER.read(&OpenOptions::default());
});
