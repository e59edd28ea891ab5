"""The module's answers are those of the Rust API, bit for bit: the command calls it and writes tensors."""

import json

import numpy as np
import pytest
from conftest import COMPLAINT, FIXTURES, MODELS, REVIEW, nezha
from safetensors.numpy import load_file, save_file

import nezha_onnx

ENGINES = ["openvino", "ort", "tract"]
HEADS = sorted(it.name for it in (FIXTURES / "reach-4").iterdir() if it.is_dir())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("head", HEADS)
def test_a_session_computes_what_the_command_does(head, engine, exported, tmp_path):
    checkpoint = FIXTURES / "reach-4" / head
    [model] = exported(checkpoint, head).glob("*.onnx")
    answers = load_file(checkpoint / "answers.safetensors")
    start = "padded/inputs/"
    inputs = {name[len(start) :]: it for name, it in answers.items() if name.startswith(start)}
    assert "input_ids" in inputs
    save_file(inputs, tmp_path / "in.safetensors")
    nezha("run", model, "--inputs", tmp_path / "in.safetensors", "--outputs", tmp_path / "out.safetensors", "--engine", engine)
    expected = load_file(tmp_path / "out.safetensors")
    found = nezha_onnx.Session(model, engine=engine)(inputs)
    assert sorted(found) == sorted(expected)
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape), name
        assert np.array_equal(found[name].view(np.uint32), array.view(np.uint32)), name
        close = answers[f"padded/outputs/{name}"]
        assert np.abs(array - close).max() <= 1e-4 * max(1.0, np.abs(close).max()), name


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pipeline_scores_what_the_command_does(engine, sentiment):
    texts = [REVIEW, COMPLAINT, REVIEW + COMPLAINT]
    printed = json.loads(nezha("text-classification", sentiment, *texts, "--engine", engine, "--json", "--top-k", 2).stdout)
    found = nezha_onnx.TextClassification(sentiment, engine=engine, top_k=2)(texts)
    scores = [[np.float32(it["score"]) for it in labels] for labels in found]
    expected = [[np.float32(it["score"]) for it in labels] for labels in answers_of(printed)]
    assert scores == expected


def answers_of(document):
    """The lists of labels in what the command prints."""
    rows = document if isinstance(document, list) else document["answers"]
    return [row if isinstance(row, list) else row.get("answer", row.get("labels")) for row in rows]
