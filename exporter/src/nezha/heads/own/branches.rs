use nezha_graphs::head_spec::Branches;

use super::{Place, reading};
use crate::graph::Value;

/// The combined results of several lists of steps, all applied to `x`, which was computed as
/// `origin` says.
pub(super) fn branches(place: &Place, branches: &Branches, x: Value, origin: &str) -> Value {
    let lists = branches.of.iter();
    let values: Vec<Value> = lists
        .map(|steps| place.steps(steps, x, format!("{origin} from the fork")))
        .collect();
    reading::combine(&place.scope, branches.combine, &values)
}
