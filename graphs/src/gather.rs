use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How attention picks, for each pair of positions, its row of the table of relative positions.
///
/// Both forms compute the same; engines have a fast kernel for one or for the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gather {
    /// `GatherElements` along the rows, its indices repeated for every text and head.
    #[default]
    Elements,
    /// Gather from the rows laid one after the other, its indices the same for every text and head.
    ///
    /// They are int32, so that neither queries × keys nor queries × (2M + 16) may reach 2³¹.
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

/// A name that is no form's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown form '{0}'; there are elements, flat")]
pub struct UnknownGather(
    /// The name that was given.
    pub String,
);
