use nezha_graphs::head_spec::Branches;

use super::{Part, Place, reading};
use crate::reference::ReferenceError;

/// Several lists of steps from one value, and what they come to together.
pub(super) fn branches(
    place: &Place,
    branches: &Branches,
    x: &Part,
) -> Result<Part, ReferenceError> {
    let lists = branches.of.iter();
    let parts = lists.map(|steps| place.steps(steps, x.clone()));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    Ok(reading::combine(branches.combine, &parts))
}
