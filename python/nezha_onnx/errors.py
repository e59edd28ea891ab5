"""Why a call fails: one class for each kind, all of them a :class:`NezhaError`.

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
    """Anything that nezha-onnx says went wrong."""


class CheckpointError(NezhaError):
    """A checkpoint can't be read, or is none of NEZHA's."""


class CheckpointNotFoundError(CheckpointError, FileNotFoundError):
    """A checkpoint, its config or its weights are not there."""


class ExportError(NezhaError):
    """A checkpoint can't be exported, or the artifact not written."""


class ArtifactExistsError(ExportError, FileExistsError):
    """An artifact is there already, and ``force`` is off."""


class ModelError(NezhaError):
    """A file is no model that can be run, or not one for the task."""


class ModelNotFoundError(ModelError, FileNotFoundError):
    """A model is not there."""


class TokenizerError(NezhaError):
    """A tokenizer can't be read, or a text not be tokenized."""


class TokenizerNotFoundError(TokenizerError, FileNotFoundError):
    """A tokenizer's files are not there."""


class EngineError(NezhaError):
    """No engine starts, or the one that runs fails."""


class DeadlineExceededError(EngineError, TimeoutError):
    """An engine did not answer before the deadline."""


class InputError(NezhaError, ValueError):
    """What is asked can't be asked: names, types or sizes of tensors, a text that lacks something."""


class OptionError(NezhaError, ValueError):
    """An option that nothing takes, or that makes no sense for the model."""


class VerificationError(NezhaError):
    """An artifact can't be compared, or is not what its checkpoint says."""


class ScoreError(NezhaError):
    """A corpus can't be scored."""


class HubError(NezhaError):
    """A model on the Hugging Face hub can't be had."""


class InternalError(NezhaError):
    """A broken invariant: please report it."""
