"""How a typed program uses the package: mypy --strict reads this, nothing runs it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import nezha_onnx


def export() -> str:
    exported = nezha_onnx.export("checkpoint", "out", dtype=["fp32", "int8"], progress=lambda written, total: None)
    return exported.artifacts[0].path


def classify(text: str) -> float:
    options = nezha_onnx.EngineOptions(sessions=2, openvino_precision="bf16")
    with nezha_onnx.TextClassification("out", engine="openvino,ort", threads=2, engine_options=options) as classifier:
        score: float = classifier(text, top_k=None)[0]["score"]
        return score


def run(path: str) -> npt.NDArray[np.float32]:
    session = nezha_onnx.Session(path, engine="tract")
    names = [it.name for it in session.get_inputs()]
    [logits] = session.run(None, {names[0]: np.zeros((1, 8), dtype=np.int64)})
    return logits


def catch() -> str:
    try:
        return str(nezha_onnx.inspect("checkpoint")["kind"])
    except nezha_onnx.CheckpointNotFoundError as error:
        return str(error)
