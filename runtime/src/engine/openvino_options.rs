use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use nezha_graphs::setters;

/// The options of OpenVINO.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct OpenVinoOptions {
    /// The type that products are computed in.
    pub precision: OpenVinoPrecision,
    /// What OpenVINO optimizes for.
    pub hint: OpenVinoHint,
    /// How many activations share a scale when OpenVINO rounds them to 8 bits, which it does to
    /// multiply them with weights of few bits; 0 for no rounding, `None` for OpenVINO's default.
    ///
    /// Large groups are faster. A size that doesn't divide the rows of a weight has no effect on
    /// that weight; 768 fits a base-size model.
    pub group_size: Option<u64>,
    /// A folder for compiled models, created if it doesn't exist. OpenVINO saves each compiled
    /// model there, and loads it the next time instead of compiling again. Processes may share the
    /// folder; nothing removes old models.
    pub cache: Option<PathBuf>,
    /// The library of OpenVINO's C interface to load, or the folder that holds it.
    pub library: Option<PathBuf>,
}

impl OpenVinoOptions {
    setters! {
        precision: OpenVinoPrecision,
        hint: OpenVinoHint,
        group_size: impl Into<Option<u64>>,
        cache: impl Into<Option<PathBuf>>,
        library: impl Into<Option<PathBuf>>,
    }
}

/// The type that OpenVINO computes products in; the model decides about weights and everything
/// else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenVinoPrecision {
    /// Single precision.
    #[default]
    F32,
    /// Eight bits of mantissa; at most half the time on processors that multiply in it.
    Bf16,
    /// Half precision.
    F16,
    /// The type that OpenVINO expects to be the fastest on the device; the engine's description
    /// names it.
    Auto,
}

impl OpenVinoPrecision {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::F32, Self::Bf16, Self::F16, Self::Auto];

    /// The name: `f32`, `bf16`, `f16`, `auto`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
            Self::Auto => "auto",
        }
    }

    /// The least tolerance with this precision, as a share of the largest magnitude of an output.
    /// On small random models, bf16 is up to 9.3e-2 off.
    pub(super) fn tolerance(self) -> f64 {
        match self {
            Self::F32 => 0.0,
            Self::F16 => 2e-2,
            Self::Bf16 | Self::Auto => 0.2,
        }
    }
}

impl fmt::Display for OpenVinoPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for OpenVinoPrecision {
    type Err = UnknownOpenVinoPrecision;

    fn from_str(name: &str) -> Result<Self, UnknownOpenVinoPrecision> {
        let mut all = Self::ALL.into_iter();
        let known = all.find(|it| it.name() == name);
        known.ok_or_else(|| UnknownOpenVinoPrecision(name.to_owned()))
    }
}

/// A name that belongs to none of OpenVINO's precisions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown precision '{0}': expected f32, bf16, f16 or auto")]
pub struct UnknownOpenVinoPrecision(
    /// The name that was given.
    pub String,
);

/// What OpenVINO optimizes for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenVinoHint {
    /// All threads work on one run; other runs wait.
    #[default]
    Latency,
    /// As many runs at the same time as OpenVINO finds best, each on some of the threads.
    Throughput,
}
