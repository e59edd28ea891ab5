use std::fmt;
use std::str::FromStr;

use super::kind::{EngineKind, UnknownEngine};

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
    /// `ort:cpu`; if ONNX Runtime can't start, `openvino:cpu`; if OpenVINO can't either, `tract`.
    ///
    /// It never tries other devices, whose first run can take minutes: name them. If `nezha tune`
    /// has measured the model's folder on this machine, a pipeline uses the fastest engine that it
    /// found: see [`Pipeline::load`](crate::Pipeline::load).
    #[default]
    Auto,
    /// This engine only.
    Only(EngineKind),
    /// The first of these engines that starts.
    FirstOf(Vec<EngineKind>),
}

impl EngineChoice {
    /// The engines, in the order in which they are tried.
    pub fn candidates(&self) -> &[EngineKind] {
        match self {
            EngineChoice::Auto => &[
                EngineKind::OrtCpu,
                EngineKind::OpenVinoCpu,
                EngineKind::Tract,
            ],
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
