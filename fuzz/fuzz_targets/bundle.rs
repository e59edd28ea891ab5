//! A TensorFlow bundle: whole indexes, and blocks of entries in a sound table.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use nezha_exporter::checkpoint::{Format, OpenOptions};
use nezha_fuzz::{CONFIG, Folder, read_from_memory};

/// What a table ends with.
const MAGIC: [u8; 8] = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    let shard = ("model.ckpt.data-00000-of-00001", [1; 4096].as_slice());
    Folder::new(&[shard])
});

fuzz_target!(|input: &[u8]| {
    let index = match input.ends_with(&MAGIC) {
        true => Bytes::copy_from_slice(input),
        false => Bytes::from(table(input)),
    };
    let path = FOLDER.path("model.ckpt.index");
    let read =
        |options| read_from_memory(&path, CONFIG, index.clone(), Format::TensorFlow, &options);
    let mapped = read(OpenOptions::default());
    let copied = read(OpenOptions::default().mmap(false));
    assert_eq!(mapped.is_ok(), copied.is_ok(), "a map makes a difference");
});

/// A table of one block, its checksums right, which the fuzzer would hardly find.
fn table(block: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let data = write(&mut file, block);
    let mut index = vec![0, 1, data.len() as u8, 0xff];
    index.extend(&data);
    index.extend([0, 0, 0, 0, 1, 0, 0, 0]);
    let index = write(&mut file, &index);
    let mut footer = [data, index].concat();
    footer.resize(40, 0);
    file.extend(footer);
    file.extend(MAGIC);
    file
}

/// Writes a block and gives its handle.
fn write(file: &mut Vec<u8>, block: &[u8]) -> Vec<u8> {
    let mut handle = Vec::new();
    prost::encoding::encode_varint(file.len() as u64, &mut handle);
    prost::encoding::encode_varint(block.len() as u64, &mut handle);
    file.extend(block);
    file.push(0);
    let checksum = crc32c::crc32c_append(crc32c::crc32c(block), &[0]);
    let masked = checksum.rotate_right(15).wrapping_add(0xa282_ead8);
    file.extend(masked.to_le_bytes());
    handle
}
