//! Models made by hand, small enough to compute by hand, in every engine.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

mod engines;
mod models;
mod openvino;
mod options;
mod profiles;
mod sessions;
mod tiny;
