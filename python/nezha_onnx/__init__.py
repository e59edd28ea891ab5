"""NEZHA models as ONNX: export checkpoints, run the graphs, let them answer about text.

>>> import nezha_onnx
>>> folder = getfixture("tmp_path")
>>> _ = nezha_onnx.export("models/nezha-tiny-zh-sentiment", folder)
>>> classifier = nezha_onnx.pipeline("text-classification", folder)
>>> classifier("屏幕有坏点，客服不理人，后悔买了。")[0]["label"]
'negative'

Models run in ONNX Runtime or OpenVINO, if they are installed for this interpreter, or in tract, which is
built in.
"""

from __future__ import annotations

import importlib.util
import os

from . import _nezha
from ._nezha import __version__
from ._options import EngineOptions
from .errors import (
    ArtifactExistsError,
    CheckpointError,
    CheckpointNotFoundError,
    DeadlineExceededError,
    EngineError,
    ExportError,
    HubError,
    InputError,
    InternalError,
    ModelError,
    ModelNotFoundError,
    NezhaError,
    OptionError,
    ScoreError,
    TokenizerError,
    TokenizerNotFoundError,
    VerificationError,
)
from .exporting import Agreement, Artifact, Exported, WrittenFile, export
from .inspecting import Certificate, Diagram, diagram, inspect, listing, verify
from .other_tasks import (
    Embedding,
    MultipleChoice,
    NextSentence,
    Pretraining,
    SpanClassification,
    WordClassification,
)
from .scoring import Answers, Scorer
from .session import NodeArg, Session
from .tasks import (
    FeatureExtraction,
    FillMask,
    QuestionAnswering,
    TextClassification,
    TokenClassification,
    pipeline,
)

__all__ = [
    "Agreement",
    "Answers",
    "Artifact",
    "ArtifactExistsError",
    "Certificate",
    "CheckpointError",
    "CheckpointNotFoundError",
    "DeadlineExceededError",
    "Diagram",
    "Embedding",
    "EngineError",
    "EngineOptions",
    "ExportError",
    "Exported",
    "FeatureExtraction",
    "FillMask",
    "HubError",
    "InputError",
    "InternalError",
    "ModelError",
    "ModelNotFoundError",
    "MultipleChoice",
    "NextSentence",
    "NezhaError",
    "NodeArg",
    "OptionError",
    "Pretraining",
    "QuestionAnswering",
    "ScoreError",
    "Scorer",
    "Session",
    "SpanClassification",
    "TextClassification",
    "TokenClassification",
    "TokenizerError",
    "TokenizerNotFoundError",
    "VerificationError",
    "WordClassification",
    "WrittenFile",
    "__version__",
    "diagram",
    "export",
    "inspect",
    "listing",
    "pipeline",
    "verify",
]


def _package_folders() -> list[str]:
    """The folders of this interpreter's packages that contain engines; no package is imported."""
    found = (importlib.util.find_spec(name) for name in ("onnxruntime", "openvino"))
    places = [place for spec in found if spec is not None for place in spec.submodule_search_locations or ()]
    return [os.path.dirname(place) for place in places]


_nezha.set_packages(_package_folders())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_nezha.forked)
