use std::fmt;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::kind::{Place, UnknownEngine};
use super::openvino_options::UnknownOpenVinoPrecision;
use super::{EngineKind, EngineOptions, OpenVinoPrecision};

/// A way to compute a model: an engine and, for OpenVINO, the type that it computes products in and
/// how many activations share a scale.
///
/// ```
/// use nezha_runtime::{EngineKind, OpenVinoPrecision, Way};
///
/// let way: Way = "openvino:cpu@bf16/768".parse()?;
/// assert_eq!(way.engine, EngineKind::OpenVinoCpu);
/// assert_eq!(way.computing, Some(OpenVinoPrecision::Bf16));
/// assert_eq!(way.group_size, Some(768));
/// assert_eq!(way.to_string(), "openvino:cpu@bf16/768");
/// # Ok::<(), nezha_runtime::UnknownWay>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Way {
    /// The engine.
    pub engine: EngineKind,
    /// The type that OpenVINO computes products in; `None` for that of the options.
    pub computing: Option<OpenVinoPrecision>,
    /// [`OpenVinoOptions::group_size`](crate::OpenVinoOptions::group_size), if `computing` is given
    /// too; `None` for that of the options.
    pub group_size: Option<u64>,
}

impl Way {
    /// Returns the options that the engine takes, with this way's precision and group size.
    pub fn options(self, options: &EngineOptions) -> EngineOptions {
        let mut options = options.of(self.engine);
        if let Some(computing) = self.computing {
            options.openvino.precision = computing;
        }
        if let Some(group_size) = self.group_size {
            options.openvino.group_size = Some(group_size);
        }
        options
    }
}

impl From<EngineKind> for Way {
    fn from(engine: EngineKind) -> Self {
        Self {
            engine,
            computing: None,
            group_size: None,
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.computing, self.group_size) {
            (Some(computing), Some(size)) => f.pad(&format!("{}@{computing}/{size}", self.engine)),
            (Some(computing), None) => f.pad(&format!("{}@{computing}", self.engine)),
            (None, _) => self.engine.fmt(f),
        }
    }
}

impl Serialize for Way {
    /// Writes its text.
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

/// A text that names no way to compute.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownWay {
    /// The text before the `@` names no engine.
    #[error(transparent)]
    Engine(#[from] UnknownEngine),
    /// The text after the `@` names none of OpenVINO's precisions.
    #[error(transparent)]
    Precision(#[from] UnknownOpenVinoPrecision),
    /// The text after the `/` is no group size.
    #[error(
        "'{0}': expected the number of activations that share a scale, such as 768, after the '/'"
    )]
    GroupSize(String),
    /// The engine always computes in the precision of the model.
    #[error("'{0}': only OpenVINO computes in another precision than the model's")]
    NotOpenVino(String),
}

impl FromStr for Way {
    type Err = UnknownWay;

    /// Reads an engine's name, `openvino:cpu@bf16`, or `openvino:cpu@bf16/768`.
    fn from_str(text: &str) -> Result<Self, UnknownWay> {
        let Some((engine, computing)) = text.split_once('@') else {
            return Ok(text.parse::<EngineKind>()?.into());
        };
        let engine: EngineKind = engine.parse()?;
        if !matches!(engine.spec().place, Place::OpenVino(_)) {
            return Err(UnknownWay::NotOpenVino(text.to_owned()));
        }
        let (computing, group_size) = match computing.split_once('/') {
            Some((computing, size)) => (computing, Some(size)),
            None => (computing, None),
        };
        let size = |size: &str| match size.parse() {
            Ok(size) => Ok(size),
            Err(_) => Err(UnknownWay::GroupSize(text.to_owned())),
        };
        Ok(Self {
            engine,
            computing: Some(computing.parse()?),
            group_size: group_size.map(size).transpose()?,
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
        let grouped = "openvino:cpu@bf16/768";
        assert_eq!(way(grouped).unwrap().to_string(), grouped);
        for text in ["openvino@bf16/", "openvino@bf16/many"] {
            assert_eq!(way(text), Err(UnknownWay::GroupSize(text.to_owned())));
        }
        let error = way("tract@bf16").unwrap_err().to_string();
        assert!(error.starts_with("'tract@bf16': only OpenVINO"), "{error}");
    }
}
