use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How attention picks the row of the table of relative positions for each pair of positions.
///
/// Both forms compute the same; each engine has a fast kernel for one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gather {
    /// `GatherElements` along the rows; its indices are repeated for every text and head.
    #[default]
    Elements,
    /// `Gather` from the rows laid one after the other; its indices are the same for every text and
    /// head.
    ///
    /// The indices are int32, so both queries × keys and queries × (2M + 16) must be below 2³¹.
    Flat,
}

impl Gather {
    /// Both forms.
    pub const ALL: [Gather; 2] = [Gather::Elements, Gather::Flat];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Gather::Elements => "elements",
            Gather::Flat => "flat",
        }
    }
}

impl fmt::Display for Gather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Gather {
    type Err = UnknownGather;

    fn from_str(name: &str) -> Result<Self, UnknownGather> {
        Self::ALL
            .into_iter()
            .find(|gather| gather.name() == name)
            .ok_or_else(|| UnknownGather(name.to_owned()))
    }
}

/// An unknown form.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown form '{0}'; there are elements, flat")]
pub struct UnknownGather(
    /// The name that was given.
    pub String,
);
