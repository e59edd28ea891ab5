//! Text in, answers out, against transformers 4.46.3: what its tokenizer and its pipelines answer
//! is in `tests/fixtures/text`, made by `make_text.py` there.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]
#![allow(
    clippy::print_stdout,
    reason = "--nocapture shows how near the answers are"
)]

mod artifacts;
mod blank;
mod commands;
mod edited;
mod engines;
mod heldout;
mod outliers;
mod pipelines;
mod streams;
mod tokens;
mod vocabularies;
mod words;
