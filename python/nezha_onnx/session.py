"""A model in an engine: arrays in, arrays out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Optional, Union

import numpy as np
import numpy.typing as npt

from . import _nezha
from ._checkpoint import Path
from ._options import EngineOptions, engine_request
from .errors import InputError


@dataclass(frozen=True)
class NodeArg:
    """An input or an output, like ONNX Runtime's ``NodeArg``."""

    name: str
    type: str
    """The element type, such as ``tensor(int64)``."""
    shape: list[Union[int, str]]
    """The sizes of fixed axes, and the names of the others."""


class Session:
    """A model and the engine that computes it, with the methods of onnxruntime's ``InferenceSession``.

    Threads may share a session. After a fork, it opens its engine again in the new process, at its first use
    there.

    ``model`` is an ``.onnx`` file. ``engine`` is ``auto``, a name such as ``ort``, ``openvino`` or ``tract``,
    or a list that is tried in order: ``"openvino,ort,tract"``.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx, numpy as np
    >>> path = nezha_onnx.export("models/nezha-tiny-zh-sentiment", folder).path
    >>> session = Session(path)
    >>> [(it.name, it.type, it.shape) for it in session.get_outputs()]
    [('logits', 'tensor(float)', ['batch_size', 2])]
    >>> [logits] = session.run(None, {"input_ids": np.array([[101, 6421, 102]])})
    >>> logits.shape
    (1, 2)
    """

    def __init__(
        self,
        model: Path,
        *,
        engine: str = "auto",
        threads: Optional[int] = None,
        engine_options: Optional[EngineOptions] = None,
    ) -> None:
        self._session = _nezha.Session(os.fspath(model), engine_request(engine, threads, engine_options))

    def get_inputs(self) -> list[NodeArg]:
        """The inputs. In a run, a missing mask is filled with ones, and missing token types with zeros."""
        return [NodeArg(*it) for it in self._session.inputs()]

    def get_outputs(self) -> list[NodeArg]:
        """The outputs, in the graph's order."""
        return [NodeArg(*it) for it in self._session.outputs()]

    def get_providers(self) -> list[str]:
        """A list with the name of the engine."""
        return [self._session.engine_name]

    def run(
        self, output_names: Optional[Sequence[str]], input_feed: Mapping[str, Any]
    ) -> list[npt.NDArray[Any]]:
        """Computes the outputs, and returns the named ones, or all of them for None."""
        outputs = self(input_feed)
        names = list(outputs) if output_names is None else output_names
        for name in names:
            if name not in outputs:
                raise InputError(f"no output '{name}', only {', '.join(outputs)}")
        return [outputs[name] for name in names]

    def __call__(self, inputs: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
        """Computes all outputs, and returns them by their names."""
        return self._session.run({name: np.asarray(value) for name, value in inputs.items()})

    @property
    def engine(self) -> str:
        """The engine, with its version and device."""
        return self._session.engine

    @property
    def skipped(self) -> list[str]:
        """Why the engines that were tried before don't start."""
        return self._session.skipped

    @property
    def head(self) -> Optional[str]:
        """The head, if the model says it."""
        return self._session.head

    @property
    def labels(self) -> list[str]:
        """The names of the labels, if the model says them."""
        return self._session.labels

    def close(self) -> None:
        """Frees the engine; later calls fail."""
        self._session.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()
