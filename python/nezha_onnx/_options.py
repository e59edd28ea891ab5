"""The options that engines are started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Optional


@dataclass(frozen=True)
class EngineOptions:
    """The options of engines besides their name and threads. An option that none of the chosen engines takes
    is an :class:`~nezha_onnx.OptionError`.

    >>> EngineOptions(sessions=2).sessions
    2
    """

    throughput: bool = False
    """Whether to maximize the texts per second instead of answering each as soon as possible: ONNX Runtime and
    OpenVINO then divide the threads among several runs at the same time, each with memory of its own."""
    sessions: int = 1
    """How many runs ONNX Runtime may compute at the same time; further callers wait."""
    optimization: Literal["none", "basic", "extended", "all"] = "all"
    """How far ONNX Runtime rewrites the graph."""
    memory_arena: bool = True
    """Whether ONNX Runtime keeps the memory of a run for the next run."""
    low_memory: bool = False
    """Whether ONNX Runtime leaves weights as they are stored, which takes less memory, but makes runs slower."""
    optimized_models: Optional[str] = None
    """A folder in which ONNX Runtime saves optimized models, to load them the next time; only for ``ort:cpu`` and
    ``ort:cuda``."""
    ort_library: Optional[str] = None
    """The ONNX Runtime library, or the folder that holds it."""
    device: int = 0
    """The number of the GPU or NPU, from 0, for ``ort:cuda``, ``ort:tensorrt``, ``ort:directml``, ``ort:cann``,
    ``ort:migraphx`` and ``ort:webgpu``."""
    tensorrt_cache: Optional[str] = None
    """The folder in which TensorRT keeps its engines."""
    tensorrt_fp16: bool = False
    """Whether TensorRT may compute in float16."""
    tensorrt_shapes: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    """For each axis the smallest size, the size to tune for, and the largest size."""
    openvino_precision: Literal["f32", "bf16", "f16", "auto"] = "f32"
    """The type that OpenVINO computes products in."""
    openvino_hint: Literal["latency", "throughput"] = "latency"
    """What OpenVINO optimizes for."""
    openvino_group_size: Optional[int] = None
    """How many activations share a scale when OpenVINO rounds them to 8 bits, which it does to multiply them with
    weights of few bits; 0 for no rounding, None for OpenVINO's default."""
    openvino_cache: Optional[str] = None
    """A folder in which OpenVINO saves compiled models, to load them the next time."""
    openvino_library: Optional[str] = None
    """The library of OpenVINO's C interface, or the folder that holds it."""
    tract_plans: int = 0
    """How many input shapes tract keeps a plan of their own for."""


def engine_request(
    engine: str = "auto", threads: Optional[int] = None, options: Optional[EngineOptions] = None
) -> dict[str, Any]:
    """The engine and its options, as the extension module takes them."""
    fields = asdict(options if options is not None else EngineOptions())
    return {"engine": engine, "threads": threads, **fields}
