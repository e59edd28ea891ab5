//! Models made by hand, small enough to compute by hand, in both engines.

mod engines;
mod models;
mod options;
mod profiles;
mod sessions;
mod tiny;
