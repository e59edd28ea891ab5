//! Models made by hand, small enough to compute by hand, in every engine.

mod engines;
mod models;
mod openvino;
mod options;
mod profiles;
mod sessions;
mod tiny;
