use std::fmt;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::kind::{Place, UnknownEngine};
use super::openvino_options::UnknownOpenVinoPrecision;
use super::{EngineKind, EngineOptions, OpenVinoPrecision};

/// A way to compute a model: an engine and, in OpenVINO, what it computes products in.
///
/// ```
/// use nezha_runtime::{EngineKind, OpenVinoPrecision, Way};
///
/// let way: Way = "openvino:cpu@bf16".parse()?;
/// assert_eq!(way.engine, EngineKind::OpenVinoCpu);
/// assert_eq!(way.computing, Some(OpenVinoPrecision::Bf16));
/// assert_eq!(way.to_string(), "openvino:cpu@bf16");
/// # Ok::<(), nezha_runtime::UnknownWay>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Way {
    /// The engine.
    pub engine: EngineKind,
    /// What OpenVINO computes products in; `None` for what the options say.
    pub computing: Option<OpenVinoPrecision>,
}

impl Way {
    /// Those of the options that the engine takes, with what it computes in.
    pub fn options(self, options: &EngineOptions) -> EngineOptions {
        let mut options = options.of(self.engine);
        if let Some(computing) = self.computing {
            options.openvino.precision = computing;
        }
        options
    }
}

impl From<EngineKind> for Way {
    fn from(engine: EngineKind) -> Self {
        Self {
            engine,
            computing: None,
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.computing {
            Some(computing) => f.pad(&format!("{}@{computing}", self.engine)),
            None => self.engine.fmt(f),
        }
    }
}

impl Serialize for Way {
    /// Its text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Way {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// A text that is no way to compute.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownWay {
    /// What stands before the `@` is no engine.
    #[error(transparent)]
    Engine(#[from] UnknownEngine),
    /// What stands behind the `@` is nothing that OpenVINO computes in.
    #[error(transparent)]
    Precision(#[from] UnknownOpenVinoPrecision),
    /// An engine that always computes in what the model says.
    #[error("'{0}': only OpenVINO computes in another precision than the model's")]
    NotOpenVino(String),
}

impl FromStr for Way {
    type Err = UnknownWay;

    /// Reads an engine's name, or `openvino:cpu@bf16`.
    fn from_str(text: &str) -> Result<Self, UnknownWay> {
        let Some((engine, computing)) = text.split_once('@') else {
            return Ok(text.parse::<EngineKind>()?.into());
        };
        let engine: EngineKind = engine.parse()?;
        if !matches!(engine.spec().place, Place::OpenVino(_)) {
            return Err(UnknownWay::NotOpenVino(text.to_owned()));
        }
        Ok(Self {
            engine,
            computing: Some(computing.parse()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_openvino_has_something_to_compute_in() {
        let way = |text: &str| text.parse::<Way>();
        assert_eq!(way("ort"), Ok(EngineKind::OrtCpu.into()));
        assert_eq!(
            way("openvino@auto").unwrap().to_string(),
            "openvino:cpu@auto"
        );
        assert!(matches!(way("openvini@bf16"), Err(UnknownWay::Engine(_))));
        assert!(matches!(
            way("openvino@int4"),
            Err(UnknownWay::Precision(_))
        ));
        let error = way("tract@bf16").unwrap_err().to_string();
        assert!(error.starts_with("'tract@bf16': only OpenVINO"), "{error}");
    }
}
