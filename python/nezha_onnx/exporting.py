"""Exports checkpoints to artifacts: ``.onnx``, config and tokenizer in a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal, Optional, Union

from . import _nezha
from ._checkpoint import OpenOptions, Path, opened
from ._options import EngineOptions, engine_request
from .errors import OptionError, VerificationError
from .inspecting import Certificate, certificate

Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class WrittenFile:
    """A file that was written."""

    path: str
    bytes: int


@dataclass(frozen=True)
class Artifact:
    """An ``.onnx`` file that was written."""

    head: str
    opset: int
    dtype: str
    path: str
    bytes: int


@dataclass(frozen=True)
class Agreement:
    """The comparison of an artifact with the same graph in fp32; a notebook shows it as a table.

    ``report`` is the document of ``nezha export --agreement``.
    """

    path: str
    broken: bool
    report: dict[str, Any]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """Each output compared with that in fp32: errors, cosine similarity, share of rows with the same argmax."""
        found: list[dict[str, Any]] = self.report["outputs"]
        return found

    def _repr_html_(self) -> str:
        columns = ["name", "worst_error", "mean_error", "cosine_similarity", "argmax_agreement"]
        head = "".join(f"<th>{escape(it.replace('_', ' '))}</th>" for it in columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(shown(output[it]))}</td>" for it in columns) + "</tr>"
            for output in self.outputs
        )
        caption = f"{self.report['dtype']} beside {self.report['reference']} in {self.report['engine']}"
        return f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{rows}</table>"


def shown(value: Any) -> str:
    """A value as it is shown to people."""
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)


@dataclass(frozen=True)
class Exported:
    """The results of an export."""

    artifacts: list[Artifact]
    """The ``.onnx`` files, one for each head and precision."""
    weights: list[WrittenFile]
    """The files of external weights, if there are any."""
    skipped: dict[str, str]
    """If all heads were requested, those that the checkpoint lacks, and why."""
    warnings: list[str]
    """What was omitted or assumed."""
    agreement: list[Agreement] = field(default_factory=list)
    """If it was requested, the comparison of each artifact of fewer bits with fp32."""
    certificates: list[Certificate] = field(default_factory=list)
    """If verification was requested, its result for each artifact."""

    @property
    def path(self) -> str:
        """The first ``.onnx`` file."""
        return self.artifacts[0].path


def export(
    checkpoint: Any,
    output: Path,
    *,
    head: Union[str, Sequence[str], None] = None,
    head_spec: Union[Path, Sequence[Path], None] = None,
    dtype: Union[str, Sequence[str]] = "fp32",
    storage: Optional[Literal["fp16"]] = None,
    opset: int = 17,
    weights: Literal["auto", "embedded", "external", "linked"] = "auto",
    layout: Literal["plain", "optimum", "transformersjs", "tei", "triton", "openvino"] = "plain",
    instances: Optional[int] = None,
    tensorrt: bool = False,
    force: bool = False,
    outputs: Sequence[Literal["hidden-states", "attentions"]] = (),
    inputs: Sequence[Literal["inputs-embeds", "head-mask"]] = (),
    loss: bool = False,
    problem_type: Optional[str] = None,
    kv_cache: bool = False,
    pooling: Optional[Literal["cls", "mean", "max"]] = None,
    normalize: bool = False,
    probabilities: bool = False,
    mask_positions: bool = False,
    top_k: Optional[int] = None,
    fixed_axes: Optional[Mapping[str, int]] = None,
    gather: Literal["elements", "flat"] = "elements",
    rename: Optional[Mapping[str, str]] = None,
    input_dtype: Literal["int64", "int32"] = "int64",
    mask: Literal["tokens", "from-padding", "pairs"] = "tokens",
    token_types: bool = True,
    agreement: Union[bool, Path] = False,
    verify: bool = False,
    engine: str = "auto",
    threads: Optional[int] = None,
    engine_options: Optional[EngineOptions] = None,
    config: Any = None,
    tokenizer: Any = None,
    key: Optional[str] = None,
    prefix: Optional[str] = None,
    labels: Union[Path, Sequence[str], None] = None,
    num_labels: Optional[int] = None,
    max_relative_position: Optional[int] = None,
    hidden_act: Optional[str] = None,
    decoder: bool = False,
    mmap: bool = True,
    progress: Optional[Progress] = None,
) -> Exported:
    """Exports a checkpoint as ONNX to the folder ``output``.

    ``checkpoint`` is a folder, a file of weights in any format that ``nezha export`` reads, or
    ``owner/name`` on the Hugging Face hub. It can also be in memory: a state dict with ``config``, or a live
    model of transformers. A state dict maps names to torch tensors, NumPy arrays or objects with DLPack or the
    buffer protocol. Its tensors are not saved to disk first, and the bytes written are the same as for the saved
    files. ``tokenizer`` is then a folder with a tokenizer's files, or a tokenizer.

    ``head`` is a name, a list of names, or ``"all"``; by default the head that ``architectures`` names.
    ``head_spec`` is the file of a head of your own, or a list of files. ``agreement`` is True or a file of texts.
    All other options are the same as those of the command ``nezha export``.

    ``progress(written, total)`` is called with the number of bytes, at most every 50 ms and at the end. If it
    raises, the export ends as with Ctrl-C, and no half-written file is left.

    >>> folder = getfixture("tmp_path")
    >>> exported = export("models/nezha-tiny-zh-sentiment", folder)
    >>> [(artifact.head, artifact.dtype) for artifact in exported.artifacts]
    [('sequence-classification', 'fp32')]
    """
    request = {
        "heads": heads(head),
        "head_specs": paths(head_spec),
        "dtypes": dtypes(dtype, storage),
        "opset": opset,
        "weights": weights,
        "layout": layout,
        "instances": instances,
        "tensorrt": tensorrt,
        "force": force,
        "graph": {
            "inputs_embeds": "inputs-embeds" in inputs,
            "head_mask": "head-mask" in inputs,
            "hidden_states": "hidden-states" in outputs,
            "attentions": "attentions" in outputs,
            "loss": loss,
            "problem_type": problem_type,
            "kv_cache": kv_cache,
            "pooling": pooling,
            "normalize": normalize,
            "probabilities": probabilities,
            "mask_positions": mask_positions,
            "top_k": top_k,
            "fixed_axes": dict(fixed_axes or {}),
            "gather": gather,
            "rename": dict(rename or {}),
            "int32_inputs": input_dtype == "int32",
            "mask": mask,
            "token_types": token_types,
        },
    }
    if input_dtype not in ("int64", "int32"):
        raise OptionError(f"input_dtype: expected int64 or int32, found {input_dtype!r}")
    known_only("outputs", outputs, ("hidden-states", "attentions"))
    known_only("inputs", inputs, ("inputs-embeds", "head-mask"))
    source = OpenOptions(
        key=key,
        prefix=prefix,
        config=config,
        labels=labels,
        num_labels=num_labels,
        max_relative_position=max_relative_position,
        hidden_act=hidden_act,
        decoder=decoder,
        mmap=mmap,
        tokenizer=tokenizer,
    )
    computing = engine_request(engine, threads, engine_options)
    with opened(checkpoint, source) as found:
        written = _nezha.export(found, os.fspath(output), request, progress)
        compared = []
        if agreement is not False:
            texts = None if agreement is True else os.fspath(agreement)
            reports = _nezha.agreement(found, request, written["artifacts"], texts, computing)
            compared = [Agreement(path, broken, json.loads(text)) for path, broken, text in reports]
        certificates = []
        if verify:
            engines = [] if engine == "auto" else engine.split(",")
            for artifact in written["artifacts"]:
                certificates.append(certificate(artifact["path"], found, engines, computing, write=True))
    exported = Exported(
        artifacts=[Artifact(**it) for it in written["artifacts"]],
        weights=[WrittenFile(**it) for it in written["weights"]],
        skipped=dict(written["skipped"]),
        warnings=written["warnings"],
        agreement=compared,
        certificates=certificates,
    )
    refuse_broken(exported)
    return exported


def heads(head: Union[str, Sequence[str], None]) -> Optional[list[str]]:
    """None for all heads, an empty list for the default."""
    named = [head] if isinstance(head, str) else list(head or ())
    return None if "all" in named else named


def paths(given: Union[Path, Sequence[Path], None]) -> list[str]:
    """One or several paths, or none."""
    if isinstance(given, (str, os.PathLike)):
        return [os.fspath(given)]
    return [os.fspath(it) for it in given or ()]


def dtypes(dtype: Union[str, Sequence[str]], storage: Optional[str]) -> list[str]:
    """The names of the precisions; for fp32, ``storage`` may store the weights in half precision."""
    named = [dtype] if isinstance(dtype, str) else list(dtype)
    if storage is None:
        return named
    if storage != "fp16" or "fp32" not in named:
        raise OptionError("storage: expected 'fp16', together with dtype 'fp32'")
    return ["fp16-storage" if it == "fp32" else it for it in named]


def known_only(option: str, found: Sequence[str], known: tuple[str, ...]) -> None:
    """Refuses an unknown word, which would otherwise be ignored."""
    names = [found] if isinstance(found, str) else found
    for name in names:
        if isinstance(found, str) or name not in known:
            raise OptionError(f"{option}: expected a list of {', '.join(known)}, found {found!r}")


def refuse_broken(exported: Exported) -> None:
    """Raises if an artifact was written and is wrong."""
    broken = [it.path for it in exported.agreement if it.broken]
    if broken:
        paths = ", ".join(broken)
        raise VerificationError(
            f"{paths}: some answers are NaN where those of fp32 are not: these weights need more bits"
        )
    failed = [it.path for it in exported.certificates if not it.passed]
    if failed:
        raise VerificationError(f"{', '.join(failed)}: verification failed")
