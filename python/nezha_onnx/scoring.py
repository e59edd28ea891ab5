"""Record batches of text in, the same batches with answers out, for Ray Data, Spark and Dask."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Optional

from . import _nezha
from ._checkpoint import Path
from ._options import EngineOptions, engine_request
from .errors import OptionError


class Answers:
    """A table for any library that supports Arrow's PyCapsule interface: ``polars.DataFrame(answers)``,
    ``pyarrow.table(answers)``. It can be read only once."""

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._capsule


class Scorer:
    """A model that answers the rows of record batches, like ``nezha score``, but inside a process.

    ``task`` is by default the task that the model was trained for, with its default options. With ``task``,
    ``options`` are those of that task (``top_k``, ``aggregation``, …). ``columns`` are the columns with text: by
    default ``text``, or for tasks with two texts ``question`` and ``context``, or ``text`` and ``text_pair``.

    Threads may share a scorer, and it may be used after a fork.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx, pyarrow
    >>> _ = nezha_onnx.export("models/nezha-tiny-zh-sentiment", folder)
    >>> scorer = Scorer(folder)
    >>> rows = pyarrow.record_batch({"text": ["房间很干净，服务热情。", None]})
    >>> scorer(rows).to_pydict()["label"]
    ['positive', None]
    """

    def __init__(
        self,
        model: Path,
        *,
        task: Optional[str] = None,
        options: Optional[dict[str, Any]] = None,
        columns: Sequence[str] = (),
        keep: Optional[Sequence[str]] = None,
        engine: str = "auto",
        threads: Optional[int] = None,
        engine_options: Optional[EngineOptions] = None,
    ) -> None:
        """``keep`` names the columns of the input to return before the answers; all by default. ``engine_options`` are
        by default ``EngineOptions(throughput=True)``. ``options`` without ``task`` are an :class:`OptionError`."""
        if task is None and options:
            raise OptionError(f"options {', '.join(options)}: expected the task that they belong to, found none")
        asked = None if task is None else {**DEFAULTS.get(task, {}), **(options or {}), "task": task}
        computing = engine_request(engine, threads, engine_options or EngineOptions(throughput=True))
        self._scorer = _nezha.Scorer(os.fspath(model), asked, list(columns), computing)
        self._keep = None if keep is None else list(keep)

    def __call__(self, rows: Any) -> Any:
        """The rows with the answers' columns: for a RecordBatch or Table of pyarrow the same type, otherwise
        :class:`Answers`.

        A row without text has no answer. If a text can't be answered, ``error`` says why.
        """
        answers = Answers(self._scorer.score(rows, self._keep))
        if type(rows).__module__.split(".")[0] != "pyarrow":
            return answers
        pyarrow = sys.modules["pyarrow"]
        table = pyarrow.table(answers)
        if isinstance(rows, pyarrow.RecordBatch):
            batches = table.to_batches()
            return batches[0] if batches else pyarrow.RecordBatch.from_pylist([], schema=table.schema)
        return table

    @property
    def columns(self) -> list[str]:
        """The columns with text."""
        return self._scorer.columns

    @property
    def fields(self) -> dict[str, str]:
        """The names and types of the answers' columns."""
        return dict(self._scorer.fields())

    @property
    def engine(self) -> str:
        """The engine, with its version and device."""
        return self._scorer.engine

    def close(self) -> None:
        """Frees the engine; later calls fail."""
        self._scorer.close()

    def __enter__(self) -> Scorer:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


#: The default options of each task.
DEFAULTS: dict[str, dict[str, Any]] = {
    "text-classification": {"top_k": 1},
    "token-classification": {"aggregation": "simple", "ignore_labels": ["O"]},
    "question-answering": {
        "top_k": 1,
        "max_answer_len": 15,
        "handle_impossible_answer": False,
        "align_to_words": True,
    },
    "fill-mask": {"top_k": 5, "targets": []},
    "feature-extraction": {"pooling": "mean", "normalize": False},
}
