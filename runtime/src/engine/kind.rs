//! What an engine is: a row of [`TABLE`](super::table::TABLE) for each. Code that depends on the
//! engine reads its row; only the engines' own code knows more.

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
    /// ONNX Runtime with the TensorRT execution provider, and CUDA for what TensorRT can't run.
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
    /// OpenVINO on an Intel GPU.
    OpenVinoGpu,
    /// OpenVINO on an Intel NPU.
    OpenVinoNpu,
    /// tract on the CPU, in pure Rust.
    Tract,
    /// An engine of your own, by its name: see
    /// [`Session::with_engine`](crate::Session::with_engine).
    Custom(&'static str),
}

/// The properties of an engine.
#[derive(Debug)]
#[non_exhaustive]
pub struct EngineSpec {
    /// The engine.
    pub kind: EngineKind,
    /// Its name on the command line, such as `ort:cpu`.
    pub name: &'static str,
    /// A shorter name for the same engine, such as `ort`.
    pub short_name: Option<&'static str>,
    /// The library that computes.
    pub family: Family,
    /// The provider that its profiles name for each node.
    pub provider: &'static str,
    /// The device, to be shown to people.
    pub device: &'static str,
    /// How far its outputs may differ from the exact ones.
    pub tolerances: Tolerances,
    /// What to do if it doesn't start and the error gives no better advice.
    pub remedy: &'static str,
    /// Where to get an ONNX Runtime with its execution provider; empty for engines without one.
    pub build: &'static str,
    /// What only some engines can do.
    pub capabilities: Capabilities,
    pub(crate) place: Place,
}

/// The library that an engine belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// ONNX Runtime.
    OnnxRuntime,
    /// OpenVINO.
    OpenVino,
    /// tract.
    Tract,
    /// A caller's own engine.
    Custom,
}

/// How far an engine's outputs may differ from the f64 reference, as a share of the largest
/// magnitude of an output.
///
/// The reference computes with the weights as the model stores them: a tolerance covers the error
/// of the computation, not that of rounding the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tolerances {
    /// For models that compute in float32, whatever type stores their weights.
    pub fp32: f64,
    /// For models that compute in half precision.
    pub fp16: f64,
    /// For int8 models, whose activations have 8 bits and a scale for each token, and for w8
    /// models, whose activations an engine may round in the same way.
    pub int8: f64,
    /// For q8 models, whose activations an engine may round to 8 bits.
    pub q8: f64,
    /// For q4 models.
    pub q4: f64,
    /// For q4 models that score the vocabulary: the activations of that product are the only ones
    /// that an engine may round.
    pub q4_vocabulary: f64,
}

impl Tolerances {
    /// The tolerance for models of this precision and head.
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

    /// The tolerances of an engine whose error in float32 is at most `fp32`.
    ///
    /// The others are 1.3 to 3.3 times the worst error of small random models on the CPU, which is
    /// 6.1e-3 in fp16, 0.156 in int8, 0.099 in q8 and 1.2e-2 in the vocabulary scores of q4. For
    /// trained models the worst is 1.9e-3, 0.022, 0.022 and 1.2e-2.
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

    /// The tolerances of an engine that also rounds activations to 8 bits when the weights have 4
    /// bits.
    pub(super) const fn with_rounded_activations(self) -> Self {
        Self {
            q4: self.q8,
            q4_vocabulary: self.q8,
            ..self
        }
    }
}

/// What only some engines can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Whether it can write the graph as it has rewritten it:
    /// [`OrtOptions::optimized_graph`](super::OrtOptions::optimized_graph).
    pub writes_graph: bool,
    /// Whether several execution providers may share a model's nodes.
    pub has_providers: bool,
    /// Whether its profiles contain nodes that it has added under names of its own, and list all
    /// nodes in the order of the run.
    pub names_nodes: bool,
}

/// The device of each family, for the family's own code.
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

    /// OpenVINO's name for the device.
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

    /// Its properties; all [custom](EngineKind::Custom) engines share one row.
    pub fn spec(self) -> &'static EngineSpec {
        static ROWS: [EngineSpec; TABLE.len()] = TABLE;
        ROWS.iter().find(|it| it.kind == self).unwrap_or(&CUSTOM)
    }

    /// The name on the command line; for a custom engine, the name that the caller gave it.
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Custom(name) => name,
            _ => self.spec().name,
        }
    }

    /// ONNX Runtime's name of the execution provider; `None` for engines without execution
    /// providers.
    pub fn execution_provider(self) -> Option<&'static str> {
        let spec = self.spec();
        spec.capabilities.has_providers.then_some(spec.provider)
    }

    /// The names of all engines of this crate; a short name is followed by the full one.
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
    /// Writes its name.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that belongs to no engine.
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

    /// Reads a name or a short name: `ort` stands for `ort:cpu`.
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
    fn only_the_cpu_and_cuda_of_onnx_runtime_write_the_graph_that_they_rewrote() {
        let writes = |kind: &EngineKind| kind.spec().capabilities.writes_graph;
        let writing: Vec<EngineKind> = EngineKind::ALL.into_iter().filter(writes).collect();
        assert_eq!(writing, [EngineKind::OrtCpu, EngineKind::OrtCuda]);
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
