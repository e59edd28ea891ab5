//! What the commands of the tasks read from `--file` and standard input: texts, texts separated by
//! tabs, JSON objects.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "arguments and files are the command's")]
#[path = "../../cli/tasks/input.rs"]
mod input;

fuzz_target!(|bytes: &[u8]| {
    let lines = bytes.split_inclusive(|it| *it == b'\n').count();
    let items: Vec<input::Item> = input::read(Box::new(Cursor::new(bytes.to_vec()))).collect();
    assert_eq!(items.len(), lines);
    for (number, item) in items.iter().enumerate() {
        assert_eq!(item.line, Some(number + 1));
        let Ok(value) = &item.value else {
            continue;
        };
        assert!(value.is_object() != !input::list(value).is_empty());
        let _ = input::strings(value, ["text"]);
        let _ = input::strings(value, ["text", "text_pair"]);
        let _ = input::strings(value, ["question", "context"]);
    }
});
