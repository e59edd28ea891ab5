"""Every error has its class under NezhaError, says where it comes from, and is one of Python's own where Python
has one."""

import pytest
from conftest import MODELS, REVIEW

import nezha_onnx


@pytest.mark.parametrize(
    ("call", "kinds", "message"),
    [
        (
            lambda folder: nezha_onnx.export(folder / "none", folder / "out"),
            (nezha_onnx.CheckpointNotFoundError, nezha_onnx.CheckpointError, FileNotFoundError),
            "none",
        ),
        (
            lambda folder: nezha_onnx.Session(folder / "none.onnx"),
            (nezha_onnx.ModelNotFoundError, FileNotFoundError),
            "none.onnx: no such file",
        ),
        (
            lambda folder: nezha_onnx.TextClassification(folder),
            (nezha_onnx.ModelNotFoundError, FileNotFoundError),
            "nezha export",
        ),
        (
            lambda folder: nezha_onnx.export(MODELS / "nezha-tiny-zh", folder / "out", head="ner"),
            (nezha_onnx.OptionError, ValueError),
            "ner",
        ),
        (
            lambda folder: nezha_onnx.export(MODELS / "nezha-tiny-zh", folder / "out", opset=9),
            (nezha_onnx.OptionError,),
            "opset 9",
        ),
        (
            lambda folder: nezha_onnx.export(MODELS / "nezha-tiny-zh", folder / "out", outputs=["attention"]),
            (nezha_onnx.OptionError,),
            "attention",
        ),
        (
            lambda folder: nezha_onnx.export(MODELS / "nezha-tiny-zh", folder / "out", head="token-classification"),
            (nezha_onnx.ExportError,),
            "token-classification",
        ),
        (lambda folder: nezha_onnx.pipeline("summarization", folder), (nezha_onnx.OptionError,), "summarization"),
        (lambda folder: nezha_onnx.inspect(folder / "none.bin"), (FileNotFoundError,), "none.bin"),
    ],
)
def test_errors_have_a_class_each(call, kinds, message, tmp_path):
    with pytest.raises(nezha_onnx.NezhaError, match=message) as raised:
        call(tmp_path)
    for kind in kinds:
        assert isinstance(raised.value, kind)


def test_an_artifact_that_is_there_is_a_file_exists_error(sentiment):
    with pytest.raises(FileExistsError) as raised:
        nezha_onnx.export(MODELS / "nezha-tiny-zh-sentiment", sentiment)
    assert isinstance(raised.value, nezha_onnx.ArtifactExistsError)


def test_a_file_that_is_no_model_is_a_model_error(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(nezha_onnx.ModelError, match="not a complete ONNX model"):
        nezha_onnx.Session(tmp_path / "model.onnx")


def test_a_model_for_another_task_is_a_model_error(sentiment):
    with pytest.raises(nezha_onnx.ModelError, match="fill-mask needs"):
        nezha_onnx.FillMask(sentiment)


def test_an_engine_that_is_not_there_is_an_engine_error_and_a_wrong_name_an_option_error(sentiment):
    options = nezha_onnx.EngineOptions(openvino_library="/nowhere/libopenvino_c.so")
    with pytest.raises(nezha_onnx.EngineError, match="nowhere"):
        nezha_onnx.Session(sentiment / "model.onnx", engine="openvino", engine_options=options)
    with pytest.raises(nezha_onnx.OptionError, match="onnx"):
        nezha_onnx.Session(sentiment / "model.onnx", engine="onnx")
    with pytest.raises(nezha_onnx.OptionError, match="threads"):
        nezha_onnx.Session(sentiment / "model.onnx", threads=0)
    with pytest.raises(nezha_onnx.OptionError, match="low_memory"):
        low_memory = nezha_onnx.EngineOptions(low_memory=True)
        nezha_onnx.Session(sentiment / "model.onnx", engine="tract", engine_options=low_memory)


def test_a_text_without_a_gap_is_an_input_error(exported):
    fill = nezha_onnx.FillMask(exported(MODELS / "nezha-tiny-zh", "masked-lm"))
    with pytest.raises(nezha_onnx.InputError, match=r"\[MASK\]"):
        fill(REVIEW)
