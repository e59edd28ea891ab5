use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a graph gets the attention mask from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MaskSource {
    /// The input `attention_mask`, with one number for each token.
    #[default]
    Tokens,
    /// The token ids: every id except the config's `pad_token_id` is a token. The graph has no mask
    /// input.
    FromPadding,
    /// The input `self_attention_mask`, `[batch, sequence, keys]`: each token has its own row, as
    /// in [UniLM](https://arxiv.org/abs/1905.03197). No causal mask is added to it.
    Pairs,
}

impl MaskSource {
    /// All of them.
    pub const ALL: [MaskSource; 3] = [
        MaskSource::Tokens,
        MaskSource::FromPadding,
        MaskSource::Pairs,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            MaskSource::Tokens => "tokens",
            MaskSource::FromPadding => "from-padding",
            MaskSource::Pairs => "pairs",
        }
    }
}

impl fmt::Display for MaskSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for MaskSource {
    type Err = UnknownMaskSource;

    fn from_str(name: &str) -> Result<Self, UnknownMaskSource> {
        Self::ALL
            .into_iter()
            .find(|it| it.name() == name)
            .ok_or_else(|| UnknownMaskSource(name.to_owned()))
    }
}

/// An unknown mask.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown mask '{0}'; there are tokens, from-padding, pairs")]
pub struct UnknownMaskSource(
    /// The name that was given.
    pub String,
);
