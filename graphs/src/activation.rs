use std::fmt;
use std::str::FromStr;

/// The activation of the feed-forward block and of the prediction head's transform.
///
/// Names and formulas are those of transformers' `ACT2FN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `x · Φ(x)` with the error function; what PyTorch NEZHA means by `gelu`.
    Gelu,
    /// `½x · (1 + tanh(√(2/π) · (x + 0.044715x³)))`; `gelu_new` and `gelu_pytorch_tanh`.
    GeluTanh,
    /// `½x · (1 + tanh(0.7978845608x · (1 + 0.044715x²)))`; `gelu_fast`.
    GeluFast,
    /// `x · σ(1.702x)`; `quick_gelu`.
    QuickGelu,
    /// `max(x, 0)`.
    Relu,
    /// `x · σ(x)`; `silu` and `swish`.
    Silu,
    /// Hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// Every spelling that `hidden_act` may have, with its meaning.
    pub const SPELLINGS: [(&'static str, Activation); 9] = [
        ("gelu", Activation::Gelu),
        ("gelu_new", Activation::GeluTanh),
        ("gelu_pytorch_tanh", Activation::GeluTanh),
        ("gelu_fast", Activation::GeluFast),
        ("quick_gelu", Activation::QuickGelu),
        ("relu", Activation::Relu),
        ("silu", Activation::Silu),
        ("swish", Activation::Silu),
        ("tanh", Activation::Tanh),
    ];

    /// How far the minimum of the function lies below 0, rounded up to four digits. `None` for
    /// Tanh: its negative values are as large as its positive ones.
    ///
    /// The minimum is where the derivative is 0: for `x · σ(x)`, where `1 + x · (1 − σ(x)) = 0`.
    pub fn depth(self) -> Option<f32> {
        match self {
            Self::Gelu => Some(0.17),
            Self::GeluTanh | Self::GeluFast => Some(0.1701),
            Self::QuickGelu => Some(0.1637),
            Self::Relu => Some(0.0),
            Self::Silu => Some(0.2785),
            Self::Tanh => None,
        }
    }
}

/// An unknown activation name.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "unknown activation '{0}'; supported are gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, \
     quick_gelu, relu, silu, swish, tanh"
)]
pub struct UnknownActivation(
    /// The name that was given.
    pub String,
);

impl FromStr for Activation {
    type Err = UnknownActivation;

    fn from_str(name: &str) -> Result<Self, UnknownActivation> {
        Self::SPELLINGS
            .iter()
            .find(|(spelling, _)| *spelling == name)
            .map(|(_, activation)| *activation)
            .ok_or_else(|| UnknownActivation(name.to_owned()))
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spelling = Self::SPELLINGS.iter().find(|(_, it)| it == self);
        f.write_str(spelling.map_or("", |(name, _)| name))
    }
}

impl serde::Serialize for Activation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
