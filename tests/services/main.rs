//! Models as services and language models have them: other names and types of inputs, masks from
//! padding or for each pair of tokens, several models that answer together.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

mod drop_in;
mod ensembles;
mod pairs;
