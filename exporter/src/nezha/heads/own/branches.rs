use nezha_graphs::head_spec::Branches;

use super::{Place, reading};
use crate::graph::Value;

/// Several lists of steps from `x`, which was made of `origin`, and what they come to together.
pub(super) fn branches(place: &Place, branches: &Branches, x: Value, origin: &str) -> Value {
    let lists = branches.of.iter();
    let values: Vec<Value> = lists
        .map(|steps| place.steps(steps, x, format!("{origin} from the fork")))
        .collect();
    reading::combine(&place.scope, branches.combine, &values)
}
