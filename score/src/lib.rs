//! Scores a corpus: adds the answers of a NEZHA model to its rows, without losing or repeating a
//! row.
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
//! The unit of the work is a part: at most [`PART_ROWS`] consecutive rows of one input. A [`Plan`]
//! says which rows are in which part, and holds the digests of all that an answer depends on:
//! inputs, model, tokenizer, engine and options. The content of a part's file depends only on the
//! plan and the part's number. A part is written to a temporary file, synced, and then linked to
//! its name. So under its name it is complete and exists once, no matter which process made it and
//! how often. [`Work::finish`] checks that all parts are there. A run may therefore be killed at
//! any moment, and any scheduler that restarts lost tasks can distribute the parts.
//!
//! - [`Work::begin`] makes a [`Plan`] from a [`Request`], or continues with an existing plan;
//! - [`run`] answers the parts: all of them, or those of one worker;
//! - [`Work::finish`] writes the output, with a [`Manifest`] beside it;
//! - [`Status`] tells the progress, on any machine that can read the folder;
//! - [`stream`](fn@stream) answers Arrow batches, for a pipeline that does its own reading and
//!   committing.

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
