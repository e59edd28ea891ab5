"""What every task has: a model, its options, and texts that go in."""

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
    """What every class takes beside its own options."""

    engine: str
    """``auto``, a name such as ``ort``, ``openvino`` or ``tract``, or a list that is tried in order."""
    threads: Optional[int]
    """Threads that share one run."""
    engine_options: Optional[EngineOptions]
    """How the engine is started."""
    batch_size: int
    """Rows of a batch at most: 8."""
    batch_tokens: int
    """Tokens of a batch at most, padding included: 2048."""
    window: int
    """Texts that are read ahead and sorted by length: 256. Ctrl-C is seen between windows."""
    pad_to_multiple_of: int
    """What lengths are rounded up to: 1."""
    ensemble: Sequence[Path]
    """More models, such as the folds of a cross-validation: the average of all, the first one too, is the answer."""
    weights: Optional[Sequence[float]]
    """How much each of them counts, the first one too."""
    average: Literal["logits", "probabilities"]
    """What of them is averaged: ``logits``."""


class Unset(Enum):
    """An option that is not given, where None says something."""

    UNSET = 0


UNSET = Unset.UNSET


class Pipeline:
    """What every task has."""

    #: transformers' name of the task, or that of the model's head where it has none.
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
        """The answers to inputs, with these options in place of the object's own."""
        changed = options != self._options
        return self._pipeline.run(inputs, options if changed else None)

    @property
    def engine(self) -> str:
        """What computes, with its version and device."""
        return self._pipeline.engine

    @property
    def labels(self) -> list[str]:
        """Names of the model's labels, by their numbers."""
        return self._pipeline.labels

    @property
    def notes(self) -> list[str]:
        """What to know of the model and its tokenizer, though both work."""
        return self._pipeline.notes

    def close(self) -> None:
        """Frees the engine; no call is answered after it."""
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
    """One or several texts or pairs, as a list of what the module takes."""
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
    """Whether one text is asked about, and not a list of them."""
    return isinstance(inputs, (str, Mapping))


def words(targets: Union[str, Sequence[str], None]) -> list[str]:
    """One or several words, or none."""
    return [targets] if isinstance(targets, str) else list(targets or ())
