"""The libraries, as Python sees them; import ``nezha_onnx`` instead."""

from collections.abc import Callable
from typing import Any, final

import numpy as np
import numpy.typing as npt

__all__ = [
    "Checkpoint",
    "Pipeline",
    "Scorer",
    "Session",
    "Split",
    "__version__",
    "agreement",
    "diagram",
    "export",
    "forked",
    "inspect",
    "listing",
    "main",
    "set_packages",
    "verify",
]

__version__: str

@final
class Checkpoint:
    @staticmethod
    def open(path: str, options: dict[str, Any]) -> Checkpoint: ...
    @staticmethod
    def from_tensors(
        tensors: list[tuple[str, str, list[int], npt.NDArray[np.uint8]]],
        config: str,
        folder: str,
        options: dict[str, Any],
    ) -> Checkpoint: ...

@final
class Session:
    def __new__(cls, path: str, engine: dict[str, Any]) -> Session: ...
    def inputs(self) -> list[tuple[str, str, list[int | str]]]: ...
    def outputs(self) -> list[tuple[str, str, list[int | str]]]: ...
    def run(self, inputs: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]: ...
    @property
    def engine(self) -> str: ...
    @property
    def engine_name(self) -> str: ...
    @property
    def skipped(self) -> list[str]: ...
    @property
    def head(self) -> str | None: ...
    @property
    def labels(self) -> list[str]: ...
    def close(self) -> None: ...

@final
class Pipeline:
    def __new__(
        cls,
        task: str,
        path: str,
        engine: dict[str, Any],
        options: dict[str, Any],
        batching: dict[str, Any],
        ensemble: dict[str, Any],
    ) -> Pipeline: ...
    def run(self, inputs: list[Any], options: dict[str, Any] | None) -> list[Any]: ...
    @property
    def engine(self) -> str: ...
    @property
    def labels(self) -> list[str]: ...
    @property
    def notes(self) -> list[str]: ...
    def close(self) -> None: ...

@final
class Split:
    def __new__(cls, how: str | list[str]) -> Split: ...

@final
class Scorer:
    def __new__(
        cls, path: str, asked: dict[str, Any] | None, columns: list[str], engine: dict[str, Any]
    ) -> Scorer: ...
    def score(self, batches: Any, keep: list[str] | None) -> object: ...
    def fields(self) -> list[tuple[str, str]]: ...
    @property
    def columns(self) -> list[str]: ...
    @property
    def engine(self) -> str: ...
    def close(self) -> None: ...

def agreement(
    checkpoint: Checkpoint,
    options: dict[str, Any],
    artifacts: list[dict[str, Any]],
    texts: str | None,
    engine: dict[str, Any],
) -> list[tuple[str, bool, str]]: ...
def diagram(path: str, scope: str) -> str: ...
def export(
    checkpoint: Checkpoint,
    output: str,
    options: dict[str, Any],
    progress: Callable[[int, int], object] | None,
) -> dict[str, Any]: ...
def forked() -> None: ...
def inspect(path: str, options: dict[str, Any]) -> str: ...
def listing(path: str) -> str: ...
def main(arguments: list[str], program: str | None) -> int: ...
def set_packages(folders: list[str]) -> None: ...
def verify(
    model: str, checkpoint: Checkpoint, engines: list[str], engine: dict[str, Any], certify: bool
) -> tuple[bool, str]: ...
