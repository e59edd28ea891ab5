//! Every combination of features that is promised, checked, and what each feature costs.

mod check;
mod cost;
pub(crate) mod times;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::root;

/// Where it is all built: the features of others would have everything in `target` built anew.
const FOLDER: &str = "target/features";

/// Checks each combination without warnings, and prints what each feature costs.
pub(crate) fn features(only_check: bool) -> Result<()> {
    if only_check {
        return check::check(None);
    }
    let folder = root().canonicalize()?.join(FOLDER);
    check::check(Some(&folder))?;
    emptied(&folder)?;
    cost::table(&folder)?;
    emptied(&folder)
}

/// Removes what was built there: gigabytes.
fn emptied(folder: &Path) -> Result<()> {
    match folder.exists() {
        true => fs::remove_dir_all(folder).with_context(|| folder.display().to_string()),
        false => Ok(()),
    }
}

/// The names in a list with commas, which may be empty.
fn listed(names: &str) -> impl Iterator<Item = &str> {
    names.split(',').filter(|it| !it.is_empty())
}
