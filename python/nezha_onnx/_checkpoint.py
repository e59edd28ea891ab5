"""Checkpoints from files, from the hub, or from a program's memory."""

from __future__ import annotations

import copy
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np
import numpy.typing as npt

from . import _nezha
from .errors import InputError

Path = Union[str, "os.PathLike[str]"]

#: The names of element types in NumPy and torch, with those in safetensors.
DTYPES = {
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "float64": "F64",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
}

#: The name of a checkpoint in memory in errors.
IN_MEMORY = "<state dict>"

Tensor = tuple[str, str, list[int], "npt.NDArray[np.uint8]"]


@dataclass(frozen=True)
class OpenOptions:
    """The options to read a checkpoint, for what its files don't tell."""

    key: Optional[str] = None
    prefix: Optional[str] = None
    config: Any = None
    labels: Union[Path, Sequence[str], None] = None
    num_labels: Optional[int] = None
    max_relative_position: Optional[int] = None
    hidden_act: Optional[str] = None
    decoder: bool = False
    mmap: bool = True
    tokenizer: Any = None

    def request(self) -> dict[str, Any]:
        """The options as the extension module takes them."""
        labels = self.labels
        if isinstance(labels, (str, os.PathLike)):
            labels = os.fspath(labels)
        elif labels is not None:
            labels = list(labels)
        config = self.config if isinstance(self.config, (str, os.PathLike)) else None
        return {
            "key": self.key,
            "prefix": self.prefix,
            "config": None if config is None else os.fspath(config),
            "labels": labels,
            "num_labels": self.num_labels,
            "max_relative_position": self.max_relative_position,
            "hidden_act": self.hidden_act,
            "decoder": self.decoder,
            "mmap": self.mmap,
        }


@contextmanager
def opened(source: Any, options: OpenOptions) -> Iterator[_nezha.Checkpoint]:
    """Opens a checkpoint from a path, a name on the hub, a state dict or a live model."""
    if isinstance(source, (str, os.PathLike)):
        if options.tokenizer is not None:
            raise InputError("tokenizer is for a state dict: the files of a checkpoint have theirs beside them")
        yield _nezha.Checkpoint.open(os.fspath(source), options.request())
        return
    state_dict, config = in_memory(source, options.config)
    with tokenizer_folder(options.tokenizer) as folder:
        tensors = [stored(name, value) for name, value in state_dict.items()]
        yield _nezha.Checkpoint.from_tensors(tensors, config, folder, options.request())


def in_memory(source: Any, config: Any) -> tuple[Mapping[str, Any], str]:
    """The state dict in a mapping or a model, and the text of its config."""
    if isinstance(source, Mapping):
        return source, config_text(config)
    if not callable(getattr(source, "state_dict", None)):
        raise InputError(
            f"expected a path, a name on the hub, a state dict or a model, found {type(source).__name__}"
        )
    state_dict = without_tied(source.state_dict(), getattr(source, "_tied_weights_keys", None))
    return state_dict, config_text(own_config(source) if config is None else config)


def own_config(model: Any) -> Any:
    """A model's config, with the fields that transformers adds when it saves the model."""
    config: Any = copy.deepcopy(getattr(model, "config", None))
    if hasattr(config, "to_json_string"):
        config.architectures = [type(model).__name__]
        dtype = getattr(model, "dtype", None)
        if dtype is not None:
            config.torch_dtype = str(dtype).split(".")[-1]
    return config


def config_text(config: Any) -> str:
    """The text that transformers would write to config.json."""
    if isinstance(config, (str, os.PathLike)):
        # The extension module reads the file.
        return ""
    if hasattr(config, "to_json_string"):
        return str(config.to_json_string())
    if isinstance(config, Mapping):
        return json.dumps(dict(config), indent=2) + "\n"
    raise InputError(
        f"a state dict needs config: the model's config, a dict or the path of a config.json; found "
        f"{type(config).__name__}"
    )


def without_tied(state_dict: Mapping[str, Any], tied: Optional[Iterable[str]]) -> dict[str, Any]:
    """The state dict without the names of shared tensors that transformers omits from a file."""
    patterns = [re.compile(it) for it in tied or ()]
    owners: dict[int, list[str]] = {}
    for name, value in state_dict.items():
        if hasattr(value, "data_ptr"):
            owners.setdefault(value.data_ptr(), []).append(name)
    dropped: set[str] = set()
    for names in owners.values():
        matching = [name for name in names if any(it.search(name) for it in patterns)]
        if len(matching) < len(names):
            dropped.update(matching)
    return {name: value for name, value in state_dict.items() if name not in dropped}


def stored(name: str, value: Any) -> Tensor:
    """A tensor as name, element type, shape and bytes; the bytes are copied only if they are not contiguous."""
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        return torch_tensor(name, value)
    array = numpy_array(name, value)
    kind = DTYPES.get(array.dtype.name, array.dtype.name)
    if array.dtype.byteorder == ">" or (array.dtype.byteorder == "=" and sys.byteorder == "big"):
        array = array.astype(array.dtype.newbyteorder("<"))
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return name, kind, list(array.shape), flat


def torch_tensor(name: str, value: Any) -> Tensor:
    """Like :func:`stored`, for a torch tensor of any type, even one that NumPy doesn't have."""
    torch = sys.modules[type(value).__module__.split(".")[0]]
    tensor = value.detach().cpu().contiguous()
    dtype = str(tensor.dtype).split(".")[-1]
    flat = tensor.reshape(-1).view(torch.uint8).numpy()
    return name, DTYPES.get(dtype, dtype), list(tensor.shape), flat


def numpy_array(name: str, value: Any) -> npt.NDArray[Any]:
    """An array over the memory of an object that exports it."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "__dlpack__"):
        try:
            return np.from_dlpack(value)
        except (BufferError, RuntimeError, TypeError):
            # NumPy lacks the element type, or the tensor can't be exported.
            pass
    if callable(getattr(value, "numpy", None)):
        return np.asarray(value.numpy())
    if hasattr(value, "__array__"):
        return np.asarray(value)
    try:
        return np.asarray(memoryview(value))
    except TypeError:
        raise InputError(
            f"'{name}' is {type(value).__name__}, expected a tensor; if this is a training checkpoint, pass only "
            "its state dict"
        ) from None


@contextmanager
def tokenizer_folder(tokenizer: Any) -> Iterator[str]:
    """The folder with a tokenizer's files: the given one, or one to which the tokenizer is saved."""
    if tokenizer is None:
        yield IN_MEMORY
    elif isinstance(tokenizer, (str, os.PathLike)):
        yield os.fspath(tokenizer)
    elif callable(getattr(tokenizer, "save_pretrained", None)):
        with tempfile.TemporaryDirectory() as folder:
            tokenizer.save_pretrained(folder)
            yield folder
    else:
        raise InputError(
            f"tokenizer: expected a folder or a tokenizer that saves itself, found {type(tokenizer).__name__}"
        )
