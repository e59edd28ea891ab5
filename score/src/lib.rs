//! A corpus in, a corpus with a NEZHA model's answers out, and no row lost or there twice.
//!
//! ```no_run
//! use nezha_runtime::{EngineChoice, EngineOptions};
//! use nezha_score::{Asked, Begun, Keep, OnError, PART_ROWS, Progress, Request, Work, load, run};
//!
//! let asked = Asked::of_model("out".as_ref())?;
//! let scorer = load("out".as_ref(), &asked, &EngineChoice::Auto, &EngineOptions::default())?;
//! let request = Request {
//!     inputs: vec!["reviews/*.parquet".to_owned()],
//!     output: "scored.parquet".into(),
//!     format: None,
//!     model: "out".into(),
//!     asked,
//!     columns: vec!["text".to_owned()],
//!     keep: Keep::All,
//!     prefix: String::new(),
//!     row_index: None,
//!     part_rows: PART_ROWS,
//! };
//! if let Begun::Work(work) = Work::begin(&request, scorer.as_ref())? {
//!     let parts = work.missing(0..work.plan().parts.len())?;
//!     run(&work, &parts, scorer.as_ref(), OnError::Null, &Progress::default())?;
//!     let manifest = work.finish()?;
//!     println!("{} rows, {} without answer", manifest.rows, manifest.failed);
//! }
//! # Ok::<(), nezha_score::ScoreError>(())
//! ```
//!
//! The unit of the work is a part: at most [`PART_ROWS`] rows of one input that follow each other. A
//! [`Plan`] says which rows are in which part, and holds the digests of all that an answer depends on:
//! inputs, model, tokenizer, engine, options. A part's file is a function of the plan and its number. It is
//! written beside, synced, and linked to its name, so it is there whole and once, whoever made it and however
//! often; [`Work::finish`] proves that all are there. So a run may be killed at any moment, and any
//! scheduler that starts a lost task again may hand out parts.
//!
//! - [`Request`] to [`Plan`]: [`Work::begin`], which goes on with a plan that is there;
//! - parts: [`run`], for all of them or for a worker's;
//! - the output: [`Work::finish`], a [`Manifest`] beside it;
//! - [`Status`]: how far it is, from any machine that sees the folder;
//! - [`stream`](fn@stream): answers for a pipeline that reads and commits by itself.

mod asked;
mod digest;
mod error;
mod files;
mod finish;
mod format;
mod input;
mod manifest;
mod output;
mod plan;
mod progress;
mod run;
mod scorer;
mod status;
mod stream;
mod work;

pub use asked::Asked;
pub use error::ScoreError;
pub use format::{Compression, Format, Kind};
pub use manifest::Manifest;
pub use plan::{
    EngineIdentity, Input, Keep, ModelIdentity, Output, PART_ROWS, Part, Plan, Planned, Request,
};
pub use progress::Progress;
pub use run::{OnError, run};
pub use scorer::{Cell, Scored, Scorer, WINDOW, load};
pub use status::Status;
pub use stream::stream;
pub use work::{Begun, Counts, Work};
