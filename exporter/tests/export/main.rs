//! Exports through the library: which files there are afterwards, and what is in them.

mod depth;
mod folder;
mod heads;
mod progress;
mod sizes;
mod support;
mod weights;
