//! Graphs in other precisions than single: how near their answers are, that int8's don't depend on
//! padding and batch, and how small the files get.
#![allow(
    clippy::print_stdout,
    reason = "--nocapture shows how near the answers are"
)]

mod agreement;
mod blocks;
mod independence;
mod masks;
mod size;
mod w8;
