use super::{Holds, Rules};

/// Everything in one folder: the contract's own.
pub(super) struct Plain;

impl Rules for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn holds(&self) -> Holds {
        Holds::Anything
    }
}
