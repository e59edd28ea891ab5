"""Arrays in, arrays out: names, types and errors as onnxruntime's InferenceSession."""

import numpy as np
import pytest

import nezha_onnx

IDS = np.array([[101, 2769, 102], [101, 1962, 102]], dtype=np.int64)


@pytest.fixture(scope="module")
def session(sentiment):
    return nezha_onnx.Session(sentiment / "model.onnx")


def test_onnxruntimes_own_session_has_the_same_names_and_answers(session, sentiment):
    import onnxruntime

    theirs = onnxruntime.InferenceSession(str(sentiment / "model.onnx"))
    for ours, other in [(session.get_inputs(), theirs.get_inputs()), (session.get_outputs(), theirs.get_outputs())]:
        assert [(it.name, it.type, it.shape) for it in ours] == [(it.name, it.type, it.shape) for it in other]
    feed = {"input_ids": IDS, "attention_mask": np.ones_like(IDS), "token_type_ids": np.zeros_like(IDS)}
    [found], [expected] = session.run(None, feed), theirs.run(None, feed)
    assert np.abs(found - expected).max() < 1e-5


def test_masks_and_token_types_may_be_left_out(session):
    whole = {"input_ids": IDS, "attention_mask": np.ones_like(IDS), "token_type_ids": np.zeros_like(IDS)}
    assert np.array_equal(session({"input_ids": IDS})["logits"], session(whole)["logits"])


def test_arrays_need_not_lie_in_memory_as_they_read(session):
    turned = np.asfortranarray(IDS)
    every_other = np.repeat(IDS, 2, axis=1)[:, ::2]
    expected = session({"input_ids": IDS})["logits"]
    for ids in [turned, every_other, IDS.tolist()]:
        assert np.array_equal(session({"input_ids": ids})["logits"], expected)


def test_outputs_are_picked_by_name(session):
    [logits] = session.run(["logits"], {"input_ids": IDS})
    assert logits.shape == (2, 2)
    with pytest.raises(nezha_onnx.InputError, match="no output 'logit', only logits"):
        session.run(["logit"], {"input_ids": IDS})


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        ({"input_ids": IDS.astype(np.float64)}, "float64"),
        ({"input_ids": IDS.astype(np.int32)}, "input_ids"),
        ({"input_ids": IDS[0]}, "input_ids"),
        ({"ids": IDS}, "ids"),
        ({"input_ids": IDS + 30_000}, "expected 0 to 21127"),
        ({}, "input_ids"),
    ],
    ids=["float64", "int32", "rank", "name", "beyond the table", "nothing"],
)
def test_what_does_not_fit_is_an_input_error_that_names_the_tensor(session, feed, message):
    with pytest.raises(nezha_onnx.InputError, match=message) as raised:
        session(feed)
    assert isinstance(raised.value, ValueError)


def test_a_session_that_is_closed_answers_no_more(sentiment):
    with nezha_onnx.Session(sentiment / "model.onnx") as session:
        session({"input_ids": IDS})
    with pytest.raises(nezha_onnx.InputError, match="closed"):
        session({"input_ids": IDS})
    session.close()


def test_the_library_is_the_one_beside_the_interpreter(session):
    import onnxruntime

    assert session.get_providers() == ["ort:cpu"]
    assert onnxruntime.__version__ in session.engine


def test_openvinos_library_is_the_one_beside_the_interpreter(sentiment, session):
    import openvino

    found = nezha_onnx.Session(sentiment / "model.onnx", engine="openvino")
    assert openvino.__version__.split("-")[0] in found.engine
    difference = np.abs(found({"input_ids": IDS})["logits"] - session({"input_ids": IDS})["logits"]).max()
    assert difference < 1e-4


def test_tract_answers_where_it_is_asked(sentiment, session):
    found = nezha_onnx.Session(sentiment / "model.onnx", engine="tract")
    assert found.get_providers() == ["tract"]
    difference = np.abs(found({"input_ids": IDS})["logits"] - session({"input_ids": IDS})["logits"]).max()
    assert difference < 1e-4
