use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// An engine, and the device it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// ONNX Runtime on the CPU.
    OrtCpu,
    /// ONNX Runtime with the CUDA execution provider.
    OrtCuda,
    /// ONNX Runtime with the TensorRT execution provider, CUDA for what TensorRT can't run.
    OrtTensorRt,
    /// tract, on the CPU; pure Rust.
    Tract,
}

impl EngineKind {
    /// All engines.
    pub const ALL: [EngineKind; 4] = [
        EngineKind::OrtCpu,
        EngineKind::OrtCuda,
        EngineKind::OrtTensorRt,
        EngineKind::Tract,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::OrtCpu => "ort:cpu",
            EngineKind::OrtCuda => "ort:cuda",
            EngineKind::OrtTensorRt => "ort:tensorrt",
            EngineKind::Tract => "tract",
        }
    }

    /// ONNX Runtime's name for what computes; tract has no execution providers.
    pub fn execution_provider(self) -> Option<&'static str> {
        match self {
            EngineKind::OrtCpu => Some("CPUExecutionProvider"),
            EngineKind::OrtCuda => Some("CUDAExecutionProvider"),
            EngineKind::OrtTensorRt => Some("TensorrtExecutionProvider"),
            EngineKind::Tract => None,
        }
    }
}

impl Serialize for EngineKind {
    /// Its name.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for EngineKind {
    type Err = UnknownEngine;

    /// Reads a name; `ort` is short for `ort:cpu`.
    fn from_str(name: &str) -> Result<Self, UnknownEngine> {
        let full = if name == "ort" { "ort:cpu" } else { name };
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == full)
            .ok_or_else(|| UnknownEngine(name.to_owned()))
    }
}

/// Which engines may run a model.
///
/// ```
/// use nezha_runtime::{EngineChoice, EngineKind};
///
/// let choice: EngineChoice = "ort:cuda, ort".parse()?;
/// assert_eq!(choice.candidates(), [EngineKind::OrtCuda, EngineKind::OrtCpu]);
/// assert_eq!(choice.to_string(), "ort:cuda,ort:cpu");
/// # Ok::<(), nezha_runtime::UnknownEngine>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum EngineChoice {
    /// `ort:cpu`, or `tract` where ONNX Runtime can't start.
    ///
    /// Devices are asked for by name: the first run on one can take minutes.
    #[default]
    Auto,
    /// This one and no other.
    Only(EngineKind),
    /// The first of several that starts.
    FirstOf(Vec<EngineKind>),
}

impl EngineChoice {
    /// The engines, in the order in which they are tried.
    pub fn candidates(&self) -> &[EngineKind] {
        match self {
            EngineChoice::Auto => &[EngineKind::OrtCpu, EngineKind::Tract],
            EngineChoice::Only(kind) => std::slice::from_ref(kind),
            EngineChoice::FirstOf(kinds) => kinds,
        }
    }
}

impl From<EngineKind> for EngineChoice {
    fn from(kind: EngineKind) -> Self {
        EngineChoice::Only(kind)
    }
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineChoice::Auto => f.pad("auto"),
            _ => f.pad(
                &self
                    .candidates()
                    .iter()
                    .map(|kind| kind.name())
                    .collect::<Vec<_>>()
                    .join(","),
            ),
        }
    }
}

/// A name that is no engine's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "unknown engine '{0}': expected auto, ort (which is ort:cpu), ort:cuda, ort:tensorrt, tract, \
     or a comma list of engines, tried in order"
)]
pub struct UnknownEngine(
    /// The name that was given.
    pub String,
);

impl FromStr for EngineChoice {
    type Err = UnknownEngine;

    fn from_str(text: &str) -> Result<Self, UnknownEngine> {
        if text.trim() == "auto" {
            return Ok(EngineChoice::Auto);
        }
        let names = text.split(',').map(str::trim);
        let kinds: Vec<EngineKind> = names.map(str::parse).collect::<Result<_, _>>()?;
        Ok(match kinds.as_slice() {
            [kind] => EngineChoice::Only(*kind),
            _ => EngineChoice::FirstOf(kinds),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_reads_what_it_writes() {
        for kind in EngineKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
    }

    #[test]
    fn a_choice_reads_names_lists_and_auto() {
        use EngineKind::{OrtCpu, OrtTensorRt, Tract};
        for (text, expected) in [
            ("auto", EngineChoice::Auto),
            ("ort", EngineChoice::Only(OrtCpu)),
            ("ort:cpu", EngineChoice::Only(OrtCpu)),
            (
                "ort:tensorrt , tract",
                EngineChoice::FirstOf(vec![OrtTensorRt, Tract]),
            ),
        ] {
            assert_eq!(text.parse(), Ok(expected.clone()), "{text}");
            assert_eq!(expected.to_string().parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_name_that_is_no_engine_is_quoted() {
        for (text, wrong) in [
            ("", ""),
            ("onnx", "onnx"),
            ("ORT", "ORT"),
            ("ort:rocm", "ort:rocm"),
            ("ort,,tract", ""),
            ("tract,auto", "auto"),
        ] {
            assert_eq!(
                text.parse::<EngineChoice>(),
                Err(UnknownEngine(wrong.into()))
            );
        }
    }
}
