use super::{Holds, Rules};

/// Everything in one folder: this project's own layout.
pub(super) struct Plain;

impl Rules for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn holds(&self) -> Holds {
        Holds::Anything
    }
}
