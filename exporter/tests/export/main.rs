//! Exports through the library: which files there are afterwards, and what is in them.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

mod depth;
mod folder;
mod heads;
mod progress;
mod sizes;
mod support;
mod weights;
