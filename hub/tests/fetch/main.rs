//! Fetching from a hub on loopback, with everything that goes wrong on the way.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

mod refusals;
#[path = "../server/mod.rs"]
mod server;
mod snapshots;
mod support;
mod transfers;
