"""The exceptions: one class for each kind of error, all of them subclasses of :class:`NezhaError`.

The message is what the command ``nezha`` prints: what failed (file, tensor or field), what was expected and
found, and what to do.

>>> import nezha_onnx
>>> try:
...     nezha_onnx.inspect("no/such/checkpoint.safetensors")
... except FileNotFoundError as error:
...     print(type(error).__name__, isinstance(error, nezha_onnx.NezhaError))
CheckpointNotFoundError True
"""

from __future__ import annotations

__all__ = [
    "ArtifactExistsError",
    "CheckpointError",
    "CheckpointNotFoundError",
    "DeadlineExceededError",
    "EngineError",
    "ExportError",
    "HubError",
    "InputError",
    "InternalError",
    "ModelError",
    "ModelNotFoundError",
    "NezhaError",
    "OptionError",
    "ScoreError",
    "TokenizerError",
    "TokenizerNotFoundError",
    "VerificationError",
]


class NezhaError(Exception):
    """Any error of nezha-onnx."""


class CheckpointError(NezhaError):
    """A checkpoint can't be read, or isn't a NEZHA checkpoint."""


class CheckpointNotFoundError(CheckpointError, FileNotFoundError):
    """A checkpoint, its config or its weights don't exist."""


class ExportError(NezhaError):
    """A checkpoint can't be exported, or the artifact can't be written."""


class ArtifactExistsError(ExportError, FileExistsError):
    """An artifact exists already, and ``force`` is off."""


class ModelError(NezhaError):
    """A file isn't a model that can be run, or the model is for another task."""


class ModelNotFoundError(ModelError, FileNotFoundError):
    """A model doesn't exist."""


class TokenizerError(NezhaError):
    """A tokenizer can't be read, or a text can't be tokenized."""


class TokenizerNotFoundError(TokenizerError, FileNotFoundError):
    """A tokenizer's files don't exist."""


class EngineError(NezhaError):
    """No engine starts, or an engine fails."""


class DeadlineExceededError(EngineError, TimeoutError):
    """An engine did not answer before the deadline."""


class InputError(NezhaError, ValueError):
    """An input is invalid: a tensor's name, type or size, or a text that lacks something."""


class OptionError(NezhaError, ValueError):
    """An option is unknown, or invalid for the model or the engine."""


class VerificationError(NezhaError):
    """An artifact can't be compared with its checkpoint, or doesn't match it."""


class ScoreError(NezhaError):
    """A corpus can't be scored."""


class HubError(NezhaError):
    """A model can't be fetched from the Hugging Face hub."""


class InternalError(NezhaError):
    """A broken invariant: please report it."""
