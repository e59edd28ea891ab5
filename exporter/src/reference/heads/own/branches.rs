use nezha_graphs::head_spec::Branches;

use super::{Part, Place, reading};
use crate::reference::ReferenceError;

/// The combined results of several lists of steps, all applied to the same value.
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
