"""Every task's answers are those of transformers' pipeline of that name, which wrote them to the fixtures: the
same dictionaries, the same offsets, scores within 1e-4."""

import json

import pytest
from conftest import MODELS, TEXT

import nezha_onnx

CASES = json.loads((TEXT / "pipelines.json").read_text())
HEADS = {
    "fill-mask": "masked-lm",
    "feature-extraction": "base",
    "next-sentence": "next-sentence",
    "pretraining": "pretraining",
}
TOLERANCE = 1e-4


def is_same(found, expected, where):
    """Compares whatever JSON holds, lengths and keys before values."""
    if isinstance(expected, dict):
        assert list(found) == list(expected), where
        for key in expected:
            is_same(found[key], expected[key], f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for index, (a, b) in enumerate(zip(found, expected)):
            is_same(a, b, f"{where}[{index}]")
    elif isinstance(expected, float):
        assert abs(found - expected) <= TOLERANCE, f"{where}: {found} for {expected}"
    else:
        assert found == expected, where


def asked(case, model):
    """The answers to a case, each input by itself as transformers was asked."""
    task, options = case["task"], dict(case["options"])
    if task == "feature-extraction" and options:
        embed = nezha_onnx.Embedding(model, **options)
        return [embed(it).tolist() for it in case["inputs"]]
    pipeline = nezha_onnx.pipeline(task, model)
    if task == "multiple-choice":
        return [pipeline(it["text"], it["choices"])["scores"] for it in case["inputs"]]
    if task == "next-sentence":
        return [pipeline(*it)["is_next"] for it in case["inputs"]]
    if task == "pretraining":
        pipeline = nezha_onnx.Pretraining(model, **options)
        return [pipeline(*it) for it in case["inputs"]]
    if task == "feature-extraction":
        return [pipeline(it)[0] for it in case["inputs"]]
    return [pipeline(it, **options) for it in case["inputs"]]


def name(case):
    return f"{case['task']}-{case['model']}-{json.dumps(case['options'], ensure_ascii=True)}"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_answers_are_those_of_transformers(case, exported):
    checkpoint = MODELS / case["model"]
    if not checkpoint.exists():
        checkpoint = TEXT / case["model"]
    model = exported(checkpoint, HEADS.get(case["task"]))
    found, expected = asked(case, model), case["answers"]
    if case["task"] == "pretraining":
        # Its fills are a pipeline's, which of one gap gives no list of gaps.
        gaps = [it["fills"] if isinstance(it["fills"][0], list) else [it["fills"]] for it in expected]
        expected = [{"fills": fills, "is_next": it["follows"]} for fills, it in zip(gaps, expected)]
    is_same(found, expected, case["task"])
