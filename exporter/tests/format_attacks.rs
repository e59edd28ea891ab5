//! Files of TensorFlow, Keras, Paddle and others that lie, or are not what they look like: each is
//! an error that says what is wrong, and none is a panic or a large allocation.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

#[path = "support/bundle.rs"]
mod bundle;

use std::fs;
use std::path::{Path, PathBuf};

use bundle::{
    Bundle, Entry, Tensor, as_tensorflow, assert_says, masked, open, refused, tensors_of,
    write_safetensors,
};
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use tempfile::TempDir;

const CONFIG: &str = r#"{"model_type": "nezha", "hidden_size": 8, "num_hidden_layers": 2,
    "num_attention_heads": 2, "vocab_size": 17, "intermediate_size": 12, "max_relative_position": 3}"#;
const KERNEL: &str = "bert/encoder/layer_0/intermediate/dense/kernel";

fn samples(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/checkpoints")
        .join(name)
}

fn families(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures/families")
        .join(name)
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("config.json"), CONFIG).unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn sound() -> Bundle {
    Bundle::new(&as_tensorflow(&tensors_of(&samples("safetensors"))), 1)
}

#[track_caller]
fn assert_bundle_refused(bundle: &Bundle, needles: &[&str]) {
    let folder = folder(&[]);
    bundle.write(&folder.path().join("model.ckpt"));
    for mmap in [true, false] {
        let options = OpenOptions::default().mmap(mmap);
        assert_says(
            &refused(&folder.path().join("model.ckpt"), &options),
            &[&["model.ckpt"], needles].concat(),
        );
    }
}

#[track_caller]
fn assert_lie_refused(lie: impl Fn(&mut Entry), needles: &[&str]) {
    let mut bundle = sound();
    lie(bundle.entry(KERNEL));
    assert_bundle_refused(&bundle, &[&[KERNEL], needles].concat());
}

#[test]
fn tensors_outside_of_their_shard_are_refused() {
    assert_lie_refused(|it| it.offset = 1 << 40, &["of a shard with"]);
    assert_lie_refused(|it| it.offset = i64::MAX, &["of a shard with"]);
    assert_lie_refused(|it| it.offset = -4, &["before the start"]);
    assert_lie_refused(|it| it.size = -1, &["before the start"]);
    let mut bundle = sound();
    bundle.shards[0].truncate(1000);
    assert_bundle_refused(&bundle, &["of a shard with 1000"]);
}

#[test]
fn tensors_that_overlap_are_refused() {
    assert_lie_refused(|it| it.offset = 0, &["overlap"]);
    assert_lie_refused(|it| it.offset += 4, &["overlap"]);
}

#[test]
fn tensors_whose_shape_is_not_their_size_are_refused() {
    let dimension =
        |it: &mut Entry, size: i64| it.shape.as_mut().unwrap().dimensions[0].size = size;
    assert_lie_refused(|it| dimension(it, 1 << 62), &["has shape"]);
    assert_lie_refused(|it| dimension(it, -1), &["negative size"]);
    assert_lie_refused(|it| it.dtype = 2, &["has shape"]);
    assert_lie_refused(
        |it| it.shape.as_mut().unwrap().unknown = true,
        &["no shape"],
    );
    assert_lie_refused(|it| it.slices = vec![vec![]], &["slices"]);
}

#[test]
fn shards_that_are_none_are_refused() {
    let mut bundle = sound();
    bundle.entry(KERNEL).shard = 1;
    assert_bundle_refused(&bundle, &["shard 1 of 1"]);
    bundle.entry(KERNEL).shard = -1;
    assert_bundle_refused(&bundle, &["shard -1 of 1"]);
    let mut missing = sound();
    missing.header.shards = 2;
    assert_bundle_refused(
        &missing,
        &["'model.ckpt.data-00000-of-00002', which is missing"],
    );
    let mut big = sound();
    big.header.endianness = 1;
    assert_bundle_refused(&big, &["big-endian"]);
}

#[test]
fn a_tensor_with_another_checksum_is_an_error_of_reading_it() {
    let folder = folder(&[]);
    let mut bundle = sound();
    let at = bundle.entry(KERNEL).offset as usize;
    bundle.shards[0][at] ^= 1;
    bundle.write(&folder.path().join("model.ckpt"));
    for mmap in [true, false] {
        let options = OpenOptions::default().mmap(mmap);
        let checkpoint = Checkpoint::open(folder.path(), &options).unwrap();
        let name = "nezha.encoder.layer.0.intermediate.dense.weight";
        let said = checkpoint.read_f32(name).unwrap_err().to_string();
        assert_says(&said, &[KERNEL, "another checksum"]);
        checkpoint.read_f32("nezha.pooler.dense.weight").unwrap();
    }
}

#[test]
fn an_index_with_another_checksum_is_refused() {
    let folder = folder(&[]);
    sound().write(&folder.path().join("model.ckpt"));
    let path = folder.path().join("model.ckpt.index");
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_says(
        &refused(&path, &OpenOptions::default()),
        &["doesn't match its checksum"],
    );
}

/// A table of one block of data, whose index may name it several times.
fn table(block: &[u8], compression: u8, times: usize) -> Vec<u8> {
    let mut file = Vec::new();
    let mut write = |content: &[u8], compression: u8| {
        let handle = (file.len() as u64, content.len() as u64);
        file.extend(content);
        file.push(compression);
        file.extend(
            masked(crc32c::crc32c_append(
                crc32c::crc32c(content),
                &[compression],
            ))
            .to_le_bytes(),
        );
        let mut bytes = Vec::new();
        prost::encoding::encode_varint(handle.0, &mut bytes);
        prost::encoding::encode_varint(handle.1, &mut bytes);
        bytes
    };
    let data = write(block, compression);
    let mut index = Vec::new();
    for number in 0..times {
        let key = format!("{number:08}");
        index.extend([0, key.len() as u8, data.len() as u8]);
        index.extend(key.as_bytes());
        index.extend(&data);
    }
    index.extend([0, 0, 0, 0, 1, 0, 0, 0]);
    let index = write(&index, 0);
    let mut footer = [data, index].concat();
    footer.resize(40, 0);
    file.extend(footer);
    file.extend([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]);
    file
}

/// A block of entries; keys and values as a table has them.
fn block(entries: &[u8]) -> Vec<u8> {
    [entries, &[0, 0, 0, 0, 1, 0, 0, 0]].concat()
}

#[track_caller]
fn assert_table_refused(table: &[u8], needle: &str) {
    let folder = folder(&[("model.ckpt.index", table)]);
    assert_says(
        &refused(
            &folder.path().join("model.ckpt.index"),
            &OpenOptions::default(),
        ),
        &[needle],
    );
}

#[test]
fn a_table_whose_blocks_unfold_is_refused() {
    // Snappy: 2^32 - 1 bytes to come, of which nothing follows.
    assert_table_refused(&table(&[0xff, 0xff, 0xff, 0xff, 0x0f], 1, 1), "unfolds");
    // A key of a megabyte, and ten thousand that share all of it but a byte.
    let mut entries = vec![0];
    prost::encoding::encode_varint(1 << 20, &mut entries);
    entries.push(0);
    entries.extend(vec![b'a'; 1 << 20]);
    for _ in 0..10_000 {
        prost::encoding::encode_varint((1 << 20) - 1, &mut entries);
        entries.extend([1, 0, b'b']);
    }
    assert_table_refused(&table(&block(&entries), 0, 1), "unfolds");
    // Entries without a key and a value, three bytes each of which are kept as forty-eight.
    assert_table_refused(&table(&vec![0; 6 << 20], 0, 1), "unfolds");
}

#[test]
fn a_table_that_names_one_block_again_and_again_is_refused() {
    assert_table_refused(&table(&block(b"\0\x01\0a"), 0, 100_000), "not in order");
}

#[test]
fn a_table_that_lies_about_its_lengths_is_refused() {
    assert_table_refused(&table(&block(b"\x05\x01\0a"), 0, 1), "shares more");
    assert_table_refused(&table(&block(b"\0\x7f\0a"), 0, 1), "outside of its block");
    assert_table_refused(&table(&block(b"\0\x01\x7fa"), 0, 1), "outside of its block");
    assert_table_refused(&table(&[0xff; 8], 0, 1), "ends in its entries");
    assert_table_refused(&table(&[], 0, 1), "empty");
    assert_table_refused(&table(&block(b"\0\x01\0a"), 7, 1), "compressed in way 7");
    assert_table_refused(&table(&block(b"\0\x01\0a"), 0, 0), "no header");
    let mut outside = table(&block(b"\0\x01\0a"), 0, 1);
    let footer = outside.len() - 48;
    outside[footer..footer + 10]
        .copy_from_slice(&[0, 0, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0x7f, 0]);
    assert_table_refused(&outside, "outside of the file");
    assert_table_refused(
        &[0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb],
        "shorter than its footer",
    );
}

#[track_caller]
fn assert_pickle_refused(pickle: &[u8], needle: &str) {
    let folder = folder(&[("model_state.pdparams", pickle)]);
    assert_says(&refused(folder.path(), &OpenOptions::default()), &[needle]);
}

#[test]
fn pickles_that_lie_are_refused() {
    for (pickle, needle) in [
        (b"\x80\x04".as_slice(), "ends early"),
        (b"\x80\x04.", "stack is empty"),
        (b"\x80\x04u.", "mark is missing"),
        (b"\x80\x04}(K\x01u.", "not a dictionary"),
        (b"\x80\x04h\x07.", "fetches value 7"),
        (
            b"\x80\x04Nr\xff\xff\xff\xff.",
            "keeps a value as number 4294967295",
        ),
        (b"\x80\x04B\xff\xff\xff\xffab.", "ends early"),
        (
            b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff.",
            "ends early",
        ),
        (b"\x80\x04\x82\x01.", "operation 0x82"),
        (
            b"\x80\x04cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.",
            "`posix.system`",
        ),
        (
            b"\x80\x04cposix\nsystem\nX\x02\x00\x00\x00ls\x85\x81.",
            "`posix.system`",
        ),
        (b"\x80\x04}.", "no weights"),
    ] {
        assert_pickle_refused(pickle, needle);
    }
}

/// GLOBAL _reconstruct and the state of an array: its shape, its element type, its bytes.
fn array(shape: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut pickle = b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01(".to_vec();
    pickle.extend(shape);
    pickle.extend(b"tcnumpy\ndtype\nX\x02\x00\x00\x00f4\x85R\x89C");
    pickle.push(bytes.len() as u8);
    pickle.extend(bytes);
    pickle.extend(b"tb");
    pickle
}

fn dictionary(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut pickle = b"\x80\x04}X".to_vec();
    pickle.extend((key.len() as u32).to_le_bytes());
    pickle.extend([key, value, b"s."].concat());
    pickle
}

#[test]
fn arrays_that_claim_more_than_their_bytes_are_refused() {
    let name = b"nezha.pooler.dense.bias";
    assert_pickle_refused(&dictionary(name, &array(b"K\x03", &[0; 8])), "has 8 bytes");
    let huge = b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7f";
    assert_pickle_refused(&dictionary(name, &array(huge, &[0; 8])), "has 8 bytes");
    assert_pickle_refused(
        &dictionary(name, &array(b"J\xff\xff\xff\xff", &[0; 8])),
        "shape is not a tuple of sizes",
    );
    let sound = folder(&[("w.pdparams", &dictionary(name, &array(b"K\x02", &[0; 8])))]);
    assert_eq!(
        open(sound.path())
            .read_f32("nezha.pooler.dense.bias")
            .unwrap(),
        [0.0, 0.0]
    );
}

/// A pickle that keeps its texts and its bytes as values 0, 1, … and calls a function again and again.
fn calls(kept: &[&[u8]], call: &[u8], times: usize) -> Vec<u8> {
    let mut pickle = b"\x80\x04".to_vec();
    for (number, value) in kept.iter().enumerate() {
        pickle.extend([*value, &[b'q', number as u8, b'0']].concat());
    }
    pickle.extend(b"]");
    pickle.extend(call.repeat(times));
    pickle.push(b'.');
    pickle
}

/// BINUNICODE.
fn text(text: &[u8]) -> Vec<u8> {
    [b"X", (text.len() as u32).to_le_bytes().as_slice(), text].concat()
}

#[test]
fn pickles_that_copy_what_they_fetch_are_refused() {
    let unfolds = "unfolds to more than three times its bytes";
    let long = text(&[b'a'; 1000]);
    // The same text as bytes, the same two as a function's name, the same one as an element type.
    let encode = calls(&[&long, b"c_codecs\nencode\n"], b"h\x01h\x00\x85Ra", 1000);
    assert_pickle_refused(&encode, unfolds);
    assert_pickle_refused(&calls(&[&long], b"h\x00h\x00\x93a", 1000), unfolds);
    let element_types = calls(&[&long, b"cnumpy\ndtype\n"], b"h\x01h\x00\x85Ra", 1000);
    assert_pickle_refused(&element_types, unfolds);
    // The same bytes as a matrix whose columns come first.
    let matrix = calls(
        &[
            &[b"B\xa0\x0f\0\0", [0; 4000].as_slice()].concat(),
            b"cnumpy\ndtype\nX\x02\0\0\0f4\x85R",
            b"K\x64K\x0a\x86",
            b"X\x01\0\0\0F",
            b"cnumpy.core.numeric\n_frombuffer\n",
        ],
        b"h\x04(h\x00h\x01h\x02h\x03tRa",
        1000,
    );
    assert_pickle_refused(&matrix, unfolds);
}

#[test]
fn names_of_tensors_that_grow_with_each_dictionary_are_refused() {
    let key = text(&[b'a'; 600]);
    let inner = [b"}".as_slice(), &key, b"Ns"].concat();
    let pickle = [b"\x80\x04}".as_slice(), &key, &inner, b"s."].concat();
    assert_pickle_refused(&pickle, "the name of a tensor has 1201 bytes");
}

#[test]
fn pickles_that_hold_themselves_end() {
    // A dictionary under its own key, and one in another a million times.
    let cycle = b"\x80\x04}q\x00X\x01\x00\x00\x00ah\x00s.";
    assert_pickle_refused(cycle, "no weights");
    let mut deep = b"\x80\x04".to_vec();
    for _ in 0..100_000 {
        deep.extend(b"}X\x01\x00\x00\x00a");
    }
    deep.extend(b"N");
    deep.extend(vec![b's'; 100_000]);
    deep.push(b'.');
    assert_pickle_refused(&deep, "nesting has no end");
    // Sixty doublings of a list: values are shared, so that they are sixty lists.
    let mut laughs = b"\x80\x04]q\x00".to_vec();
    for _ in 0..60 {
        laughs.extend(b"h\x00h\x00\x86q\x00");
    }
    laughs.push(b'.');
    assert_pickle_refused(&laughs, "no weights");
}

#[test]
fn hdf5_files_that_lie_are_refused() {
    let whole = fs::read(families("bert4keras/best_model.h5")).unwrap();
    assert!(whole.starts_with(b"\x89HDF"));
    for length in [8, 60, 800, whole.len() / 2] {
        let folder = folder(&[("w.h5", &whole[..length])]);
        refused(folder.path(), &OpenOptions::default());
    }
    assert_says(
        &refused(
            folder(&[("w.h5", &whole[..60])]).path(),
            &OpenOptions::default(),
        ),
        &["Keras HDF5"],
    );
}

#[test]
fn an_adapter_is_told_how_to_be_merged() {
    let adapter = TempDir::new().unwrap();
    fs::write(
        adapter.path().join("adapter_config.json"),
        r#"{"peft_type": "LORA", "base_model_name_or_path": "nezha-cn-base"}"#,
    )
    .unwrap();
    let lora = Tensor::f32(
        "base_model.model.nezha.encoder.layer.0.attention.self.query.lora_A.weight",
        &[2, 8],
        &[0.0; 16],
    );
    write_safetensors(
        &adapter.path().join("adapter_model.safetensors"),
        std::slice::from_ref(&lora),
    );
    let said = refused(adapter.path(), &OpenOptions::default());
    assert_says(&said, &["adapter", "nezha-cn-base", "merge_and_unload"]);
    fs::write(adapter.path().join("config.json"), CONFIG).unwrap();
    assert_says(
        &refused(adapter.path(), &OpenOptions::default()),
        &["merge_and_unload"],
    );

    let unmerged = folder(&[]);
    let tensors = tensors_of(&samples("safetensors"))
        .into_iter()
        .chain([lora]);
    write_safetensors(
        &unmerged.path().join("model.safetensors"),
        &tensors.collect::<Vec<_>>(),
    );
    assert_says(
        &refused(unmerged.path(), &OpenOptions::default()),
        &["merge_and_unload"],
    );
}

#[test]
fn formats_that_are_not_read_are_named_with_the_way_out() {
    let mindspore = b"\x0a\x20\x0a\x04bert\x12\x18\x08\x08\x12\x07Float32";
    for (name, bytes, needles) in [
        (
            "flax_model.msgpack",
            b"\x80".as_slice(),
            ["Flax", "msgpack_restore"],
        ),
        (
            "weights",
            b"\x81\xa6params\x80",
            ["Flax", "msgpack_restore"],
        ),
        (
            "nezha_classification_epoch_2.ckpt",
            mindspore,
            ["MindSpore", "safetensors"],
        ),
    ] {
        let folder = folder(&[(name, bytes)]);
        for path in [folder.path(), &folder.path().join(name)] {
            assert_says(
                &refused(path, &OpenOptions::default()),
                &[&[name], needles.as_slice()].concat(),
            );
        }
    }
}

/// The plain model with one more tensor in its first layer.
fn with_table(name: &str, shape: &[usize], values: &[f32]) -> TempDir {
    let folder = folder(&[]);
    let table = Tensor::f32(
        &format!("nezha.encoder.layer.0.attention.self.{name}"),
        shape,
        values,
    );
    let tensors = tensors_of(&samples("safetensors"))
        .into_iter()
        .chain([table]);
    write_safetensors(
        &folder.path().join("model.safetensors"),
        &tensors.collect::<Vec<_>>(),
    );
    folder
}

/// NEZHA's table for `length` positions, from the definition.
fn sinusoid(length: usize) -> Vec<f32> {
    let (reach, width) = (3_i64, 4);
    let mut values = Vec::new();
    for from in 0..length as i64 {
        for to in 0..length as i64 {
            let row = ((to - from).clamp(-reach, reach) + reach) as f64;
            for column in 0..width {
                let angle = row / 10_000_f64.powf(f64::from(column / 2 * 2) / f64::from(width));
                values.push(if column % 2 == 0 {
                    angle.sin()
                } else {
                    angle.cos()
                } as f32);
            }
        }
    }
    values
}

#[test]
fn tables_of_relative_positions_that_were_trained_are_refused() {
    const SAVED: &str = "relative_positions_encoding.positions_encoding";
    let sound = with_table(SAVED, &[16, 16, 4], &sinusoid(16));
    open(sound.path());
    let zeros = with_table(SAVED, &[16, 16, 4], &[0.0; 1024]);
    let says = |folder: &TempDir, needles: &[&str]| {
        assert_says(&refused(folder.path(), &OpenOptions::default()), needles);
    };
    says(&zeros, &[SAVED, "where the sinusoid has"]);
    let mut trained = sinusoid(16);
    for it in &mut trained {
        *it += 0.01;
    }
    says(
        &with_table(SAVED, &[16, 16, 4], &trained),
        &["where the sinusoid has"],
    );
    says(
        &with_table(SAVED, &[33, 64], &[0.0; 2112]),
        &["its shape is [33, 64]"],
    );
    for learned in [
        "relative_positions_embeddings.embeddings_table",
        "relative_position_embedding.weight",
    ] {
        says(
            &with_table(learned, &[33, 64], &[0.0; 2112]),
            &[learned, "sinusoid"],
        );
    }
}

/// Opens and reads whatever is there; only a panic fails.
fn survives(name: &str, bytes: &[u8], beside: &[(&str, &[u8])]) {
    let folder = folder(beside);
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    for mmap in [true, false] {
        let options = OpenOptions::default().mmap(mmap);
        if let Ok(checkpoint) = Checkpoint::open(&path, &options) {
            let _ = checkpoint.digest();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_change_of_a_real_file_makes_it_panic(
        which in 0..4_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let paths = [
            families("tensorflow-finetuned/model.ckpt-900000.index"),
            families("bert4keras/best_model.h5"),
            samples("wrapped/paddle-protocol-4/model_state.pdparams"),
            samples("wrapped/paddle-protocol-2/model_state.pdparams"),
        ];
        let mut bytes = fs::read(&paths[which]).unwrap();
        for (at, value) in changes {
            let index = at.index(bytes.len());
            bytes[index] = value;
        }
        let name = paths[which].file_name().unwrap().to_str().unwrap();
        let shard = fs::read(families("tensorflow-finetuned/model.ckpt-900000.data-00000-of-00001")).unwrap();
        survives(name, &bytes, &[("model.ckpt-900000.data-00000-of-00001", &shard)]);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, start in 0..4_usize) {
        let starts: [&[u8]; 4] = [b"\x80\x04", b"\x89HDF\r\n\x1a\n\0", b"\x0a\x20\x0a", b""];
        survives("weights.index", &[starts[start], &bytes].concat(), &[]);
        let end = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
        survives("weights.index", &[&bytes, end.as_slice()].concat(), &[]);
    }
}
