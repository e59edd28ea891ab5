//! The lines of a file of texts, as agreement and benchmarks read them, and the tensors made of them.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nezha_graphs::{DType, Dim, Port, TokenizerFiles};
use nezha_runtime::{Tokenizer, VocabularyFile};
use nezha_verify::texts::{split, tensors};

/// Lines that are read at most.
const MOST: usize = 8;

const VOCABULARY: &[u8] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n我\n喜\n欢\n北\n京\n。\na\n##b\n1".as_bytes();

static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    let files = TokenizerFiles::default();
    Tokenizer::from_bytes(VocabularyFile::Lines(VOCABULARY), &files).expect("a vocabulary")
});

static PORTS: LazyLock<[Port; 4]> = LazyLock::new(|| {
    let shape = ["b", "s"].map(Dim::symbol);
    let names = ["input_ids", "attention_mask", "token_type_ids", "position_ids"];
    names.map(|name| Port::new(name, DType::I64, &shape, ""))
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let batch = split(text, &TOKENIZER, MOST).expect("a text of any characters is split");
    let with_text = text.lines().filter(|it| !it.trim().is_empty()).count();
    assert_eq!(batch.len(), with_text.min(MOST));
    let longest = batch.iter().map(Vec::len).max().unwrap_or(0);
    let tensors = tensors(&*PORTS, &batch).expect("BERT's inputs");
    for (name, tensor) in tensors.iter() {
        assert_eq!(tensor.shape(), [batch.len(), longest], "{name}");
    }
    let mask = tensors.array::<i64>("attention_mask").expect("a mask");
    let tokens: usize = batch.iter().map(Vec::len).sum();
    assert_eq!(mask.sum(), tokens as i64);
});
