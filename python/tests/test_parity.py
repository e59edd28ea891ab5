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


NAMES = "国务院总理李鹏今天来了"
GAPS = "这家[MASK]店的[MASK]务很好。"
QUESTION = {"question": "酒店在哪里？", "context": "这家酒店在北京，房间很大，服务很好。"}
CHOICES = ["下次还会住。", "老板姓李。"]

#: Checkpoint and head of each task, what the command is asked, and the same question to the module.
TASKS = {
    "text-classification": (
        "nezha-tiny-zh-sentiment",
        None,
        [REVIEW, COMPLAINT, REVIEW + COMPLAINT, "--top-k", "2"],
        lambda model, engine: nezha_onnx.TextClassification(model, engine=engine, top_k=2)(
            [REVIEW, COMPLAINT, REVIEW + COMPLAINT]
        ),
    ),
    "token-classification": (
        "nezha-tiny-zh-ner",
        None,
        [NAMES, REVIEW, "--aggregation", "average"],
        lambda model, engine: nezha_onnx.TokenClassification(
            model, engine=engine, aggregation_strategy="average"
        )([NAMES, REVIEW]),
    ),
    "fill-mask": (
        "nezha-tiny-zh",
        "masked-lm",
        [GAPS, GAPS, "--top-k", "3"],
        lambda model, engine: nezha_onnx.FillMask(model, engine=engine, top_k=3)([GAPS, GAPS]),
    ),
    "question-answering": (
        "text/question-answering",
        None,
        [QUESTION["question"], QUESTION["context"], "--top-k", "2"],
        lambda model, engine: [nezha_onnx.QuestionAnswering(model, engine=engine, top_k=2)(QUESTION)],
    ),
    "multiple-choice": (
        "text/multiple-choice",
        None,
        [REVIEW, *CHOICES],
        lambda model, engine: [nezha_onnx.MultipleChoice(model, engine=engine)(REVIEW, CHOICES)],
    ),
    "next-sentence": (
        "nezha-tiny-zh",
        "next-sentence",
        [REVIEW, COMPLAINT],
        lambda model, engine: [nezha_onnx.NextSentence(model, engine=engine)(REVIEW, COMPLAINT)],
    ),
    "feature-extraction": (
        "text/base",
        None,
        [REVIEW, COMPLAINT],
        lambda model, engine: [
            tokens[0].tolist()
            for tokens in nezha_onnx.FeatureExtraction(model, engine=engine, return_tensors=True)([REVIEW, COMPLAINT])
        ],
    ),
    "feature-extraction --pooling": (
        "text/base",
        None,
        [REVIEW, COMPLAINT, "--pooling", "max", "--normalize"],
        lambda model, engine: nezha_onnx.Embedding(model, engine=engine, pooling="max", normalize=True)(
            [REVIEW, COMPLAINT]
        ).tolist(),
    ),
}
#: What both say under the same name.
COMPARED = {"score", "scores", "start", "end", "token", "choice", "is_next"}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("task", TASKS)
def test_a_task_answers_what_the_command_does(task, engine, exported):
    name, head, arguments, ask = TASKS[task]
    model = exported(FIXTURES / name if "/" in name else MODELS / name, head)
    printed = json.loads(nezha(task.split()[0], model, *arguments, "--engine", engine, "--json").stdout)
    expected = list(numbers([it["answer"] for it in printed]))
    found = list(numbers(ask(model, engine)))
    assert len(expected) > 0
    assert found == expected


def numbers(answer):
    """The numbers in an answer that both name alike, in order, each as the float32 that it is."""
    if isinstance(answer, dict):
        for name in sorted(COMPARED & set(answer)):
            yield from numbers(answer[name])
    elif isinstance(answer, list):
        for it in answer:
            yield from numbers(it)
    elif isinstance(answer, float):
        yield float(np.float32(answer))
    else:
        yield answer
