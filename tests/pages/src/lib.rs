//! README and guide show Rust that compiles: `build.rs` makes a function of each block.

#[allow(
    dead_code,
    clippy::print_stdout,
    clippy::pedantic,
    reason = "what a page shows, as it shows it"
)]
mod blocks {
    include!(concat!(env!("OUT_DIR"), "/blocks.rs"));
}
