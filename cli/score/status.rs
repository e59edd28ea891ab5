//! `nezha score --status`: how far the work for an output is.

use std::path::Path;

use anyhow::Result;
use nezha_score::Status;

use super::progress::duration;
use crate::output::line;

/// Prints it.
pub(super) fn show(output: &Path) -> Result<()> {
    let status = Status::of(output)?;
    let done = status.done;
    let mut text = match status.finished {
        true => format!("finished: {} rows", done.rows),
        false => format!(
            "{} of {} parts, {} of {} rows",
            status.parts_done, status.parts, done.rows, status.rows
        ),
    };
    text.push_str(&format!(
        ", {} truncated, {} without answer",
        done.truncated, done.failed
    ));
    if let Some(rate) = status.rate {
        text.push_str(&format!(", {rate:.0} rows/s"));
    }
    if let Some(left) = status.left {
        text.push_str(&format!(", {} left", duration(left.as_secs_f64())));
    }
    if !status.finished && status.parts_done == status.parts {
        text.push_str("; `nezha score finish` puts them together");
    }
    line(text)
}
