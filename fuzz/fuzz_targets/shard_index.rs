//! A `model.safetensors.index.json` beside the shards that it should name.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nezha_exporter::checkpoint::OpenOptions;
use nezha_fuzz::{CONFIG, Folder};

/// Files of one tensor each, `a` and `b`.
const SHARDS: [(&str, &[u8]); 2] = [
    ("a.safetensors", b"\x3c\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}    1234"),
    ("b.safetensors", b"\x3c\0\0\0\0\0\0\0{\"b\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}    1234"),
];

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    let config = ("config.json", CONFIG.as_bytes());
    Folder::new(&[config, SHARDS[0], SHARDS[1]])
});

fuzz_target!(|index: &[u8]| {
    FOLDER.write("model.safetensors.index.json", index);
    if let Ok(checkpoint) = FOLDER.read(&OpenOptions::default()) {
        let names = checkpoint.weights().iter().map(|it| it.name.as_str());
        assert!(names.clone().all(|name| ["a", "b"].contains(&name)));
        assert!(names.count() > 0);
    }
});
