"""How an engine is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Optional


@dataclass(frozen=True)
class EngineOptions:
    """What engines take beside their name and threads; an option that none of the engines to choose from
    takes is an :class:`~nezha_onnx.OptionError`.

    >>> EngineOptions(sessions=2).sessions
    2
    """

    throughput: bool = False
    """Whether the most texts a second are wanted, and not each answer soonest: ONNX Runtime and OpenVINO then divide
    the threads among several runs at the same time, each with memory of its own."""
    sessions: int = 1
    """Runs that ONNX Runtime may compute at the same time; more callers wait their turn."""
    optimization: Literal["none", "basic", "extended", "all"] = "all"
    """How far ONNX Runtime rewrites the graph."""
    memory_arena: bool = True
    """Whether ONNX Runtime keeps the memory of a run for the next one."""
    low_memory: bool = False
    """Whether ONNX Runtime leaves weights as they are stored: less memory, slower runs."""
    optimized_models: Optional[str] = None
    """A folder where ONNX Runtime keeps what it makes of a model."""
    ort_library: Optional[str] = None
    """The ONNX Runtime library, or the folder that holds it."""
    device: int = 0
    """The GPU of ``ort:cuda`` and ``ort:tensorrt``, counted from 0."""
    tensorrt_cache: Optional[str] = None
    """The folder that keeps TensorRT's engines."""
    tensorrt_fp16: bool = False
    """Whether TensorRT may compute in float16."""
    tensorrt_shapes: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    """For each axis the smallest size, the one to tune for, and the largest."""
    openvino_precision: Literal["f32", "bf16", "f16", "auto"] = "f32"
    """What OpenVINO computes products in."""
    openvino_hint: Literal["latency", "throughput"] = "latency"
    """What OpenVINO makes the most of."""
    openvino_group_size: Optional[int] = None
    """How many activations share a scale where OpenVINO multiplies 8-bit weights; 0 for none."""
    openvino_cache: Optional[str] = None
    """The folder where OpenVINO keeps compiled models."""
    openvino_library: Optional[str] = None
    """The library of OpenVINO's C interface, or the folder that holds it."""
    tract_plans: int = 0
    """Input shapes for which tract keeps a plan of its own."""


def engine_request(
    engine: str = "auto", threads: Optional[int] = None, options: Optional[EngineOptions] = None
) -> dict[str, Any]:
    """The engine as the module takes it."""
    fields = asdict(options if options is not None else EngineOptions())
    return {"engine": engine, "threads": threads, **fields}
