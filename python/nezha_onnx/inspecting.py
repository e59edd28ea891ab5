"""Inspects and verifies files."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Optional, Union

from . import _nezha
from ._checkpoint import OpenOptions, Path, opened
from ._options import EngineOptions, engine_request


@dataclass(frozen=True)
class Certificate:
    """The result of a verification; it is true if the artifact passed. A notebook shows it as a table.

    ``report`` is the document of ``nezha verify --json``.
    """

    path: str
    passed: bool
    report: dict[str, Any]

    def __bool__(self) -> bool:
        return self.passed

    def _repr_html_(self) -> str:
        verdict = "passed" if self.passed else "FAILED"
        rows = "".join(
            f"<tr><td>{escape(str(engine.get('name', engine.get('engine', ''))))}</td>"
            f"<td>{escape(str(engine.get('passed', '')))}</td></tr>"
            for engine in self.report["engines"]
        )
        caption = escape(f"{self.path}: {verdict}")
        return f"<table><caption>{caption}</caption><tr><th>engine</th><th>passed</th></tr>{rows}</table>"


@dataclass(frozen=True)
class Diagram:
    """A part of a graph as a picture; a notebook shows it."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def __str__(self) -> str:
        return self.svg


def inspect(
    path: Path,
    *,
    config: Optional[Path] = None,
    key: Optional[str] = None,
    prefix: Optional[str] = None,
    labels: Union[Path, Sequence[str], None] = None,
    num_labels: Optional[int] = None,
    max_relative_position: Optional[int] = None,
    hidden_act: Optional[str] = None,
    decoder: bool = False,
    mmap: bool = True,
) -> dict[str, Any]:
    """The content of a checkpoint or an ``.onnx`` file: the document of ``nezha inspect --json``.

    >>> found = inspect("models/nezha-tiny-zh-sentiment")
    >>> found["kind"], [head["head"] for head in found["heads"] if head["named"]]
    ('checkpoint', ['sequence-classification'])
    """
    options = OpenOptions(
        key=key,
        prefix=prefix,
        config=config,
        labels=labels,
        num_labels=num_labels,
        max_relative_position=max_relative_position,
        hidden_act=hidden_act,
        decoder=decoder,
        mmap=mmap,
    )
    found: dict[str, Any] = json.loads(_nezha.inspect(os.fspath(path), options.request()))
    return found


def listing(model: Path) -> str:
    """The graph of an ``.onnx`` file, one line per node."""
    return _nezha.listing(os.fspath(model))


def diagram(model: Path, *, layer: int = 0, scope: Optional[str] = None) -> Diagram:
    """A layer of an ``.onnx`` file, or the nodes whose names start with ``scope``, as a picture.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx
    >>> path = nezha_onnx.export("models/nezha-tiny-zh-sentiment", folder).path
    >>> str(diagram(path, layer=1))[:4]
    '<svg'
    """
    return Diagram(_nezha.diagram(os.fspath(model), scope if scope is not None else f"nezha.encoder.layer.{layer}"))


def verify(
    model: Path,
    checkpoint: Any,
    *,
    engines: Sequence[str] = (),
    threads: Optional[int] = None,
    engine_options: Optional[EngineOptions] = None,
    write: bool = False,
    config: Any = None,
    key: Optional[str] = None,
    prefix: Optional[str] = None,
    labels: Union[Path, Sequence[str], None] = None,
    num_labels: Optional[int] = None,
    max_relative_position: Optional[int] = None,
    hidden_act: Optional[str] = None,
    decoder: bool = False,
    mmap: bool = True,
) -> Certificate:
    """Compares an artifact with its checkpoint: every weight, then the outputs of the engines with those of
    the built-in reference in float64.

    ``engines`` are compared, and each of them must start; by default, those of ort, openvino and tract that are
    available. With ``write``, the certificate is written beside the artifact and into its metadata, as
    ``nezha verify`` does.
    """
    options = OpenOptions(
        key=key,
        prefix=prefix,
        config=config,
        labels=labels,
        num_labels=num_labels,
        max_relative_position=max_relative_position,
        hidden_act=hidden_act,
        decoder=decoder,
        mmap=mmap,
    )
    computing = engine_request("auto", threads, engine_options)
    with opened(checkpoint, options) as found:
        return certificate(os.fspath(model), found, engines, computing, write=write)


def certificate(
    model: str,
    checkpoint: _nezha.Checkpoint,
    engines: Sequence[str],
    computing: dict[str, Any],
    *,
    write: bool,
) -> Certificate:
    """Verifies one artifact."""
    passed, text = _nezha.verify(model, checkpoint, list(engines), computing, write)
    return Certificate(model, passed, json.loads(text))
