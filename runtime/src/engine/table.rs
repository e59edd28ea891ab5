//! The engines, one row for each.

use super::kind::{
    Capabilities, EngineKind, EngineSpec, Family, OpenVinoDevice, OrtDevice, Place, Tolerances,
};

const NVIDIA: &str = "`nvidia-smi` tells whether the driver sees a GPU";

/// Where to get a build with CUDA and TensorRT.
const GPU_BUILD: &str = match cfg!(all(target_os = "linux", target_arch = "x86_64")) {
    true => "`nezha setup --gpu` installs a build that has it",
    false => "build ONNX Runtime with it, and name its library",
};

/// The row of an execution provider that compiles parts of a graph; the rewritten graph can't be
/// written.
const fn provider(
    kind: EngineKind,
    place: OrtDevice,
    [name, provider, device]: [&'static str; 3],
    tolerances: Tolerances,
    [remedy, build]: [&'static str; 2],
) -> EngineSpec {
    EngineSpec {
        kind,
        name,
        short_name: None,
        family: Family::OnnxRuntime,
        provider,
        device,
        tolerances,
        remedy,
        build,
        capabilities: Capabilities {
            writes_graph: false,
            has_providers: true,
            names_nodes: false,
        },
        place: Place::Ort(place),
    }
}

/// All engines.
pub(super) const TABLE: [EngineSpec; 13] = [
    EngineSpec {
        kind: EngineKind::OrtCpu,
        name: "ort:cpu",
        short_name: Some("ort"),
        family: Family::OnnxRuntime,
        provider: "CPUExecutionProvider",
        device: "CPU",
        tolerances: Tolerances::of_fp32(1e-5),
        remedy: "`nezha setup` installs an ONNX Runtime that is known to run",
        build: "",
        capabilities: Capabilities {
            writes_graph: true,
            has_providers: true,
            names_nodes: false,
        },
        place: Place::Ort(OrtDevice::Cpu),
    },
    EngineSpec {
        kind: EngineKind::OrtCuda,
        name: "ort:cuda",
        short_name: None,
        family: Family::OnnxRuntime,
        provider: "CUDAExecutionProvider",
        device: "CUDA",
        tolerances: Tolerances::of_fp32(5e-3),
        remedy: NVIDIA,
        build: GPU_BUILD,
        capabilities: Capabilities {
            writes_graph: true,
            has_providers: true,
            names_nodes: false,
        },
        place: Place::Ort(OrtDevice::Cuda),
    },
    provider(
        EngineKind::OrtTensorRt,
        OrtDevice::TensorRt,
        ["ort:tensorrt", "TensorrtExecutionProvider", "TensorRT"],
        Tolerances::of_fp32(5e-3),
        [NVIDIA, GPU_BUILD],
    ),
    provider(
        EngineKind::OrtCoreMl,
        OrtDevice::CoreMl,
        ["ort:coreml", "CoreMLExecutionProvider", "CoreML"],
        Tolerances::of_fp32(5e-3),
        [
            "run it on macOS 12 or later",
            "ONNX Runtime's packages for macOS have it: `nezha setup` installs one there",
        ],
    ),
    provider(
        EngineKind::OrtDirectMl,
        OrtDevice::DirectMl,
        ["ort:directml", "DmlExecutionProvider", "DirectML"],
        Tolerances::of_fp32(5e-3),
        [
            "update the driver of the GPU",
            "the Python package onnxruntime-directml for Windows has it: name its library",
        ],
    ),
    provider(
        EngineKind::OrtCann,
        OrtDevice::Cann,
        ["ort:cann", "CANNExecutionProvider", "CANN"],
        Tolerances::of_fp32(5e-3),
        [
            "`npu-smi info` tells whether the driver sees an Ascend processor",
            "the Python package onnxruntime-cann has it: install it beside Huawei's CANN, and name its library",
        ],
    ),
    provider(
        EngineKind::OrtMiGraphX,
        OrtDevice::MiGraphX,
        ["ort:migraphx", "MIGraphXExecutionProvider", "MIGraphX"],
        Tolerances::of_fp32(5e-3),
        [
            "`rocminfo` tells whether the driver sees a GPU",
            "the Python package onnxruntime-migraphx has it: install it beside ROCm, and name its library",
        ],
    ),
    provider(
        EngineKind::OrtWebGpu,
        OrtDevice::WebGpu,
        ["ort:webgpu", "WebGpuExecutionProvider", "WebGPU"],
        Tolerances::of_fp32(5e-3),
        [
            "update the driver of the GPU",
            "the Python package onnxruntime-webgpu has it: name its library",
        ],
    ),
    provider(
        EngineKind::OrtXnnpack,
        OrtDevice::Xnnpack,
        ["ort:xnnpack", "XnnpackExecutionProvider", "XNNPACK"],
        Tolerances::of_fp32(1e-4),
        [
            "run ort:cpu",
            "build ONNX Runtime with `--use_xnnpack`, and name its library",
        ],
    ),
    EngineSpec {
        kind: EngineKind::OpenVinoCpu,
        name: "openvino:cpu",
        short_name: Some("openvino"),
        family: Family::OpenVino,
        provider: "openvino:cpu",
        device: "CPU",
        tolerances: Tolerances::of_fp32(1e-5).with_rounded_activations(),
        remedy: "`nezha setup --openvino` installs an OpenVINO that is known to run",
        build: "",
        capabilities: Capabilities {
            writes_graph: false,
            has_providers: false,
            names_nodes: true,
        },
        place: Place::OpenVino(OpenVinoDevice::Cpu),
    },
    EngineSpec {
        kind: EngineKind::OpenVinoGpu,
        name: "openvino:gpu",
        short_name: None,
        family: Family::OpenVino,
        provider: "openvino:gpu",
        device: "GPU",
        tolerances: Tolerances::of_fp32(1e-3).with_rounded_activations(),
        remedy: "install the driver of an Intel GPU, with OpenCL or Level Zero",
        build: "",
        capabilities: Capabilities {
            writes_graph: false,
            has_providers: false,
            names_nodes: true,
        },
        place: Place::OpenVino(OpenVinoDevice::Gpu),
    },
    EngineSpec {
        kind: EngineKind::OpenVinoNpu,
        name: "openvino:npu",
        short_name: None,
        family: Family::OpenVino,
        provider: "openvino:npu",
        device: "NPU",
        tolerances: Tolerances::of_fp32(5e-3).with_rounded_activations(),
        remedy: "install the driver of an Intel NPU, with Level Zero",
        build: "",
        capabilities: Capabilities {
            writes_graph: false,
            has_providers: false,
            names_nodes: true,
        },
        place: Place::OpenVino(OpenVinoDevice::Npu),
    },
    EngineSpec {
        kind: EngineKind::Tract,
        name: "tract",
        short_name: None,
        family: Family::Tract,
        provider: "tract",
        device: "CPU",
        tolerances: Tolerances::of_fp32(1e-4),
        remedy: "run another engine",
        build: "",
        capabilities: Capabilities {
            writes_graph: false,
            has_providers: false,
            names_nodes: false,
        },
        place: Place::Tract,
    },
];

/// The row of all engines that callers bring.
pub(super) static CUSTOM: EngineSpec = EngineSpec {
    kind: EngineKind::Custom(""),
    name: "",
    short_name: None,
    family: Family::Custom,
    provider: "",
    device: "",
    tolerances: Tolerances::of_fp32(1e-4),
    remedy: "start it by `Session::with_engine`",
    build: "",
    capabilities: Capabilities {
        writes_graph: false,
        has_providers: false,
        names_nodes: false,
    },
    place: Place::Custom,
};
