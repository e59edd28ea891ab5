"""What services ask: words that are split already, spans of heads of one's own, several models in one."""

import json

import numpy as np
import pytest
from conftest import MODELS, REVIEW, TEXT, nezha
from safetensors.numpy import load_file, save_file

import nezha_onnx

NAMES = "国务院总理 李鹏"
SIDE = """
[[outputs]]
name = "{}_logits"
task = "span-classification"
read = "tokens"
steps = [{{ linear = {{ module = "classifier" }} }}]
"""


@pytest.fixture(scope="module")
def names(exported):
    return exported(MODELS / "nezha-tiny-zh-ner")


def printed(*arguments):
    """The answers that the command prints as JSON."""
    return [it["answer"] for it in json.loads(nezha(*arguments, "--json").stdout)]


@pytest.mark.parametrize("split", ["characters", "spaces", ["国务院", "李鹏"]], ids=str)
def test_words_have_the_labels_that_the_command_gives_them(split, names, tmp_path):
    how = split
    if isinstance(split, list):
        how = tmp_path / "words.txt"
        how.write_text("\n".join(split), encoding="utf-8")
    [expected] = printed("token-classification", names, NAMES, "--split", how)
    found = nezha_onnx.WordClassification(names, split=split)(NAMES)
    assert [list(it) for it in found] == [["word", "label", "score", "start", "end"]] * len(expected)
    assert found == [{**it, "score": as_float32(it["score"])} for it in expected]


def as_float32(number):
    """What the command prints is the shortest text of a float32."""
    return None if number is None else float(np.float32(number))


def test_words_come_as_a_list_too_and_a_list_of_texts_has_a_list_each(names):
    label = nezha_onnx.pipeline("word-classification", names)
    words = {"words": ["国", "务", "院"]}
    assert [it["label"] for it in label(words)] == ["B-ORG", "I-ORG", "I-ORG"]
    assert label([words, "李鹏"]) == [label(words), label("李鹏")]


def test_a_split_that_is_none_is_refused_by_name(names):
    with pytest.raises(nezha_onnx.OptionError, match="split 'words': expected characters"):
        nezha_onnx.WordClassification(names, split="words")


def test_spans_are_those_of_the_command(tmp_path):
    spec = tmp_path / "head.toml"
    spec.write_text('name = "sides"' + SIDE.format("start") + SIDE.format("end"))
    nezha_onnx.export(MODELS / "nezha-tiny-zh-ner", tmp_path / "out", head_spec=spec)
    for options, flags in [({}, []), ({"nested": False}, ["--flat"])]:
        [expected] = printed("span-classification", tmp_path / "out", NAMES, *flags)
        found = nezha_onnx.SpanClassification(tmp_path / "out", **options)(NAMES)
        assert found and found == [{**it, "score": as_float32(it["score"])} for it in expected]
    scorer = nezha_onnx.Scorer(tmp_path / "out")
    pyarrow = pytest.importorskip("pyarrow")
    [spans] = scorer(pyarrow.table({"text": [NAMES]}))["spans"].to_pylist()
    assert [it["text"] for it in spans] == [it["text"] for it in nezha_onnx.SpanClassification(tmp_path / "out")(NAMES)]


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    """Two classifiers of one architecture that differ."""
    folder = tmp_path_factory.mktemp("folds")
    checkpoint = TEXT / "three-labels"
    changed = folder / "checkpoint"
    changed.mkdir()
    for file in checkpoint.iterdir():
        (changed / file.name).write_bytes(file.read_bytes())
    tensors = load_file(checkpoint / "model.safetensors")
    tensors = {name: it * np.asarray(1.5, it.dtype) if it.ndim > 1 else it for name, it in tensors.items()}
    save_file(tensors, changed / "model.safetensors")
    return [nezha_onnx.export(it, folder / f"fold{number}").path for number, it in enumerate([checkpoint, changed])]


def test_an_ensemble_averages_what_its_models_say(folds):
    logits = [np.array(nezha_onnx.Session(it)({"input_ids": [[101, 102]]})["logits"]) for it in folds]
    assert np.abs(logits[0] - logits[1]).max() > 1e-3

    def scores(*models, **options):
        classifier = nezha_onnx.TextClassification(models[0], function_to_apply="none", **options)
        return {it["label"]: it["score"] for it in classifier(REVIEW, top_k=None)}

    [one, other] = [scores(it) for it in folds]
    for weights, shares in [(None, (0.5, 0.5)), ([3, 1], (0.75, 0.25))]:
        found = scores(folds[0], ensemble=folds[1:], weights=weights)
        for label, score in found.items():
            assert abs(score - shares[0] * one[label] - shares[1] * other[label]) < 1e-5, (weights, label)


def test_an_ensemble_answers_as_the_command_does(folds):
    flags = ["--ensemble", folds[1], "--weights", "2,1", "--average", "probabilities", "--top-k", 3]
    [expected] = printed("text-classification", folds[0], REVIEW, *flags)
    classifier = nezha_onnx.TextClassification(
        folds[0], ensemble=folds[1:], weights=[2, 1], average="probabilities", top_k=3
    )
    [found] = classifier(REVIEW)
    assert found == [{**it, "score": as_float32(it["score"])} for it in expected]


def test_weights_that_do_not_fit_are_an_option_error(folds):
    with pytest.raises(nezha_onnx.OptionError, match="expected 2, one for each model"):
        nezha_onnx.TextClassification(folds[0], ensemble=folds[1:], weights=[1])
