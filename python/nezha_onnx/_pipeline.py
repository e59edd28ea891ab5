"""What all tasks have in common: the model, its options, and the form of the inputs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from enum import Enum
from types import TracebackType
from typing import Any, Literal, Optional, TypedDict, TypeVar, Union

from . import _nezha
from ._checkpoint import Path
from ._options import EngineOptions, engine_request
from .errors import InputError, OptionError

Self = TypeVar("Self", bound="Pipeline")


class Loading(TypedDict, total=False):
    """The options of every class besides its own."""

    engine: str
    """``auto``, a name such as ``ort``, ``openvino`` or ``tract``, or a list that is tried in order."""
    threads: Optional[int]
    """Threads that share one run."""
    engine_options: Optional[EngineOptions]
    """The options that the engine is started with."""
    batch_size: int
    """Rows of a batch, at most; 8 by default."""
    batch_tokens: int
    """Tokens of a batch, at most, including padding; 2048 by default."""
    window: int
    """Texts that are read ahead and sorted by length; 256 by default. Ctrl-C is checked between windows."""
    pad_to_multiple_of: int
    """Lengths are rounded up to a multiple of this; 1 by default."""
    ensemble: Sequence[Path]
    """More models, such as the folds of a cross-validation; the answer is the average of all, including the first."""
    weights: Optional[Sequence[float]]
    """The weight of each model, beginning with the first; only their ratios matter."""
    average: Literal["logits", "probabilities"]
    """What is averaged over the models; ``logits`` by default."""


class Unset(Enum):
    """Marks an option that is not given, if None has a meaning of its own."""

    UNSET = 0


UNSET = Unset.UNSET


class Pipeline:
    """The base of all tasks."""

    #: The name of the task in transformers, or of the model's head if transformers has no such task.
    task = ""

    def __init__(self, model: Path, options: dict[str, Any], loading: Loading) -> None:
        batching = {
            "rows": loading.pop("batch_size", 8),
            "tokens": loading.pop("batch_tokens", 2048),
            "window": loading.pop("window", 256),
            "multiple": loading.pop("pad_to_multiple_of", 1),
        }
        ensemble = {
            "models": [os.fspath(it) for it in loading.pop("ensemble", ())],
            "weights": loading.pop("weights", None),
            "average": loading.pop("average", "logits"),
        }
        engine = loading.pop("engine", "auto")
        computing = engine_request(engine, loading.pop("threads", None), loading.pop("engine_options", None))
        if loading:
            raise OptionError(f"{self.task} takes no {', '.join(repr(it) for it in loading)}")
        self._options = options
        self._pipeline = _nezha.Pipeline(self.task, os.fspath(model), computing, options, batching, ensemble)

    def _answers(self, inputs: list[Any], options: dict[str, Any]) -> list[Any]:
        """The answers to inputs, with these options instead of the object's own."""
        changed = options != self._options
        return self._pipeline.run(inputs, options if changed else None)

    @property
    def engine(self) -> str:
        """The engine, with its version and device."""
        return self._pipeline.engine

    @property
    def labels(self) -> list[str]:
        """The names of the model's labels, in the order of their indices."""
        return self._pipeline.labels

    @property
    def notes(self) -> list[str]:
        """What the user should know about the model and its tokenizer, though both work."""
        return self._pipeline.notes

    def close(self) -> None:
        """Frees the engine; later calls fail."""
        self._pipeline.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


def texts(inputs: Any) -> list[Any]:
    """One or several texts or pairs, as a list for the extension module."""
    if isinstance(inputs, (str, Mapping)):
        return [text(inputs)]
    return [text(it) for it in inputs]


def text(given: Any) -> Any:
    """A text, or a pair as a tuple."""
    if isinstance(given, str):
        return given
    if isinstance(given, Mapping):
        pair = given.get("text_pair")
        return given["text"] if pair is None else (given["text"], pair)
    # transformers' older form of a pair.
    if isinstance(given, (list, tuple)):
        inner = given[0] if len(given) == 1 and isinstance(given[0], (list, tuple)) else given
        if len(inner) == 2 and all(isinstance(it, str) for it in inner):
            return (inner[0], inner[1])
    raise InputError(f"expected a text or a dictionary with text and text_pair, found {given!r}")


def is_one(inputs: Any) -> bool:
    """Whether the input is a single text, not a list."""
    return isinstance(inputs, (str, Mapping))


def words(targets: Union[str, Sequence[str], None]) -> list[str]:
    """One or several words, or none."""
    return [targets] if isinstance(targets, str) else list(targets or ())
