//! A `vocab.txt` with the settings beside it, split from it and from each other by zero bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nezha_fuzz::encode;
use nezha_runtime::VocabularyFile;

fuzz_target!(|input: &[u8]| encode(VocabularyFile::Lines, input));
