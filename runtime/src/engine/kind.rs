//! What an engine is: one row of [`TABLE`](super::table::TABLE) each. Everything that depends on the engine
//! is asked of its row; only the engines' own code knows more.

use std::fmt;
use std::str::FromStr;

use nezha_graphs::{Head, Precision};
use serde::{Serialize, Serializer};

use super::table::{CUSTOM, TABLE};

/// An engine, and the device it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EngineKind {
    /// ONNX Runtime on the CPU.
    OrtCpu,
    /// ONNX Runtime with the CUDA execution provider.
    OrtCuda,
    /// ONNX Runtime with the TensorRT execution provider, CUDA for what TensorRT can't run.
    OrtTensorRt,
    /// ONNX Runtime with the CoreML execution provider, on Apple's devices.
    OrtCoreMl,
    /// ONNX Runtime with the DirectML execution provider, on GPUs under Windows.
    OrtDirectMl,
    /// ONNX Runtime with the CANN execution provider, on Huawei's Ascend processors.
    OrtCann,
    /// ONNX Runtime with the MIGraphX execution provider, on AMD's GPUs.
    OrtMiGraphX,
    /// ONNX Runtime with the WebGPU execution provider, on GPUs by Vulkan, Metal or Direct3D.
    OrtWebGpu,
    /// ONNX Runtime with the XNNPACK execution provider, on the CPU.
    OrtXnnpack,
    /// OpenVINO on the CPU.
    OpenVinoCpu,
    /// OpenVINO on a GPU of Intel's.
    OpenVinoGpu,
    /// OpenVINO on an NPU of Intel's.
    OpenVinoNpu,
    /// tract, on the CPU; pure Rust.
    Tract,
    /// A caller's own engine, by its name: see [`Session::with_engine`](crate::Session::with_engine).
    Custom(&'static str),
}

/// What an engine is.
#[derive(Debug)]
#[non_exhaustive]
pub struct EngineSpec {
    /// The engine.
    pub kind: EngineKind,
    /// Its name on the command line, such as `ort:cpu`.
    pub name: &'static str,
    /// A shorter name that stands for it.
    pub short_name: Option<&'static str>,
    /// Whose code computes.
    pub family: Family,
    /// What its profiles say computes a node.
    pub provider: &'static str,
    /// The device, for people.
    pub device: &'static str,
    /// How far its answers may be off.
    pub tolerances: Tolerances,
    /// What to do where it doesn't start and no error knows better.
    pub remedy: &'static str,
    /// Where an ONNX Runtime with its execution provider comes from; empty for engines without one.
    pub build: &'static str,
    /// What not every engine can do.
    pub capabilities: Capabilities,
    pub(crate) place: Place,
}

/// Whose code an engine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// ONNX Runtime.
    OnnxRuntime,
    /// OpenVINO.
    OpenVino,
    /// tract.
    Tract,
    /// A caller's.
    Custom,
}

/// How far an engine's answers may be off, as a share of the largest magnitude of an output, from those
/// in f64 over the weights that the model's own stand for: what computing costs, not what rounding the
/// weights does.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tolerances {
    /// Of models that compute in float32, whatever their weights are stored in.
    pub fp32: f64,
    /// Of models that compute in half precision.
    pub fp16: f64,
    /// Of int8 models, whose activations have 8 bits and a scale for each token, and of w8 models, whose
    /// activations an engine may round so.
    pub int8: f64,
    /// Of q8 models, whose activations an engine may round to 8 bits.
    pub q8: f64,
    /// Of q4 models.
    pub q4: f64,
    /// Of q4 models that score the vocabulary, the one product whose activations an engine may round.
    pub q4_vocabulary: f64,
}

impl Tolerances {
    /// That of models of this precision and head.
    pub fn of(self, precision: Precision, head: Head) -> f64 {
        match (precision, head) {
            (Precision::Fp32 | Precision::Fp16Storage, _) => self.fp32,
            (Precision::Fp16, _) => self.fp16,
            (Precision::Int8 | Precision::W8, _) => self.int8,
            (Precision::Q8, _) => self.q8,
            (Precision::Q4, Head::MaskedLm | Head::Pretraining) => self.q4_vocabulary,
            (Precision::Q4, _) => self.q4,
        }
    }

    /// Those of an engine that computes models in float32 this exactly.
    ///
    /// The others are 1.3 to 3.3 times the worst of small random models on the CPU, which is 6.1e-3 in
    /// fp16, 0.156 in int8, 0.099 in q8 and 1.2e-2 in the vocabulary of q4; of trained ones it is 1.9e-3,
    /// 0.022, 0.022 and 1.2e-2.
    pub(super) const fn of_fp32(fp32: f64) -> Self {
        Self {
            fp32,
            fp16: 2e-2,
            int8: 0.2,
            q8: 0.15,
            q4: fp32,
            q4_vocabulary: 0.03,
        }
    }

    /// Those of an engine that rounds activations to 8 bits for weights of 4 bits, too.
    pub(super) const fn with_rounded_activations(self) -> Self {
        Self {
            q4: self.q8,
            q4_vocabulary: self.q8,
            ..self
        }
    }
}

/// What not every engine can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Whether it can write the graph as it rewrote it:
    /// [`OrtOptions::optimized_graph`](super::OrtOptions::optimized_graph).
    pub writes_graph: bool,
    /// Whether several execution providers may share a model's nodes.
    pub has_providers: bool,
    /// Whether its profiles list nodes that it made under names of its own, in the order of the run.
    pub names_nodes: bool,
}

/// Where a family computes: what only its own code tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Ort(OrtDevice),
    OpenVino(OpenVinoDevice),
    Tract,
    Custom,
}

/// The devices of ONNX Runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrtDevice {
    Cpu,
    Cuda,
    TensorRt,
    CoreMl,
    DirectMl,
    Cann,
    MiGraphX,
    WebGpu,
    Xnnpack,
}

#[cfg(feature = "ort")]
impl OrtDevice {
    pub(crate) fn kind(self) -> EngineKind {
        match self {
            OrtDevice::Cpu => EngineKind::OrtCpu,
            OrtDevice::Cuda => EngineKind::OrtCuda,
            OrtDevice::TensorRt => EngineKind::OrtTensorRt,
            OrtDevice::CoreMl => EngineKind::OrtCoreMl,
            OrtDevice::DirectMl => EngineKind::OrtDirectMl,
            OrtDevice::Cann => EngineKind::OrtCann,
            OrtDevice::MiGraphX => EngineKind::OrtMiGraphX,
            OrtDevice::WebGpu => EngineKind::OrtWebGpu,
            OrtDevice::Xnnpack => EngineKind::OrtXnnpack,
        }
    }
}

/// The devices of OpenVINO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenVinoDevice {
    Cpu,
    Gpu,
    Npu,
}

#[cfg(feature = "openvino")]
impl OpenVinoDevice {
    pub(crate) fn kind(self) -> EngineKind {
        match self {
            OpenVinoDevice::Cpu => EngineKind::OpenVinoCpu,
            OpenVinoDevice::Gpu => EngineKind::OpenVinoGpu,
            OpenVinoDevice::Npu => EngineKind::OpenVinoNpu,
        }
    }

    /// What OpenVINO calls it.
    pub(crate) fn id(self) -> &'static str {
        self.kind().spec().device
    }
}

impl EngineKind {
    /// All engines of this crate.
    pub const ALL: [EngineKind; TABLE.len()] = {
        let mut kinds = [EngineKind::Tract; TABLE.len()];
        let mut index = 0;
        while index < kinds.len() {
            kinds[index] = TABLE[index].kind;
            index += 1;
        }
        kinds
    };

    /// What it is; one row for all [custom](EngineKind::Custom) ones.
    pub fn spec(self) -> &'static EngineSpec {
        static ROWS: [EngineSpec; TABLE.len()] = TABLE;
        ROWS.iter().find(|it| it.kind == self).unwrap_or(&CUSTOM)
    }

    /// The name on the command line, or the one that a caller gave.
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Custom(name) => name,
            _ => self.spec().name,
        }
    }

    /// ONNX Runtime's name for what computes; other engines have no execution providers.
    pub fn execution_provider(self) -> Option<&'static str> {
        let spec = self.spec();
        spec.capabilities.has_providers.then_some(spec.provider)
    }

    /// The names of all engines of this crate, with what the short ones stand for.
    ///
    /// ```
    /// use nezha_runtime::EngineKind;
    ///
    /// assert!(EngineKind::names().contains("openvino (= openvino:cpu), openvino:gpu, "));
    /// ```
    pub fn names() -> String {
        let name = |kind: EngineKind| {
            let spec = kind.spec();
            match spec.short_name {
                Some(short) => format!("{short} (= {})", spec.name),
                None => spec.name.to_owned(),
            }
        };
        Self::ALL.map(name).join(", ")
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

/// A name that is no engine's.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "unknown engine '{0}': expected auto, {known}, or a comma list of engines, tried in order",
    known = EngineKind::names()
)]
pub struct UnknownEngine(
    /// The name that was given.
    pub String,
);

impl FromStr for EngineKind {
    type Err = UnknownEngine;

    /// Reads a name, or a short one: `ort` stands for `ort:cpu`.
    fn from_str(name: &str) -> Result<Self, UnknownEngine> {
        let is = |kind: &EngineKind| {
            let spec = kind.spec();
            spec.name == name || spec.short_name == Some(name)
        };
        let known = Self::ALL.into_iter().find(is);
        known.ok_or_else(|| UnknownEngine(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_has_a_row_of_its_own_and_reads_what_it_writes() {
        for kind in EngineKind::ALL {
            assert_eq!(kind.spec().kind, kind);
            assert_eq!(kind.to_string().parse(), Ok(kind));
            if let Some(short) = kind.spec().short_name {
                assert_eq!(short.parse(), Ok(kind));
            }
        }
    }

    #[test]
    fn a_custom_engine_has_its_callers_name_and_is_never_read_from_one() {
        let custom = EngineKind::Custom("mine");
        assert_eq!(custom.to_string(), "mine");
        assert_eq!(custom.spec().family, Family::Custom);
        assert_eq!(
            "mine".parse::<EngineKind>(),
            Err(UnknownEngine("mine".into()))
        );
    }

    #[test]
    fn an_unknown_engine_is_told_all_names_of_the_table() {
        let text = UnknownEngine("onnx".to_owned()).to_string();
        for kind in EngineKind::ALL {
            assert!(text.contains(kind.name()), "no {kind} in '{text}'");
        }
    }
}
