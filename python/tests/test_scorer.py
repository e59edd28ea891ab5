"""Record batches in, record batches out, whoever made them."""

import pytest
from conftest import COMPLAINT, MODELS, REVIEW

import nezha_onnx

pyarrow = pytest.importorskip("pyarrow")


def test_a_record_batch_is_answered_with_its_own_columns_before_the_answers(sentiment):
    rows = pyarrow.record_batch({"id": [1, 2, 3], "text": [REVIEW, None, COMPLAINT]})
    answers = nezha_onnx.Scorer(sentiment)(rows)
    assert isinstance(answers, pyarrow.RecordBatch)
    assert answers.schema.names == ["id", "text", "label", "score", "truncated", "error"]
    assert answers.to_pydict()["label"] == ["positive", None, "negative"]


def test_scores_are_those_of_the_pipeline(sentiment):
    texts = [REVIEW, COMPLAINT] * 700
    found = nezha_onnx.Scorer(sentiment)(pyarrow.table({"text": texts}))
    assert isinstance(found, pyarrow.Table)
    expected = nezha_onnx.TextClassification(sentiment, window=1024)(texts)
    assert found.num_rows == len(texts)
    assert found["score"].to_pylist() == [it["score"] for it in expected]


@pytest.mark.parametrize("kind", [pyarrow.string(), pyarrow.large_string(), pyarrow.string_view()])
def test_text_may_be_of_any_of_arrows_types(kind, sentiment):
    rows = pyarrow.table({"text": pyarrow.array([REVIEW, COMPLAINT], kind)})
    assert nezha_onnx.Scorer(sentiment, keep=[])(rows)["label"].to_pylist() == ["positive", "negative"]


def test_polars_gives_and_takes_frames(sentiment):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"text": [REVIEW, COMPLAINT]})
    answers = polars.DataFrame(nezha_onnx.Scorer(sentiment, keep=["text"])(frame))
    assert answers["label"].to_list() == ["positive", "negative"]
    assert answers["text"].to_list() == [REVIEW, COMPLAINT]


def test_all_labels_entities_and_vectors_are_typed_columns(sentiment, exported):
    every = nezha_onnx.Scorer(sentiment, task="text-classification", options={"top_k": None}, keep=[])
    assert list(every.fields) == ["scores", "truncated", "error"]
    names = nezha_onnx.Scorer(exported(MODELS / "nezha-tiny-zh-ner"), task="token-classification", keep=[])
    [entities] = names(pyarrow.table({"text": ["国务院总理李鹏今天来了"]}))["entities"].to_pylist()
    assert [it["label"] for it in entities] == ["ORG", "PER"]
    vectors = nezha_onnx.Scorer(exported(MODELS / "nezha-tiny-zh", "base"), keep=[])
    assert vectors(pyarrow.table({"text": ["好"]})).schema.field("embedding").type.list_size == 128


def test_options_without_a_task_are_refused_instead_of_ignored(sentiment):
    with pytest.raises(nezha_onnx.OptionError, match="options top_k: expected the task"):
        nezha_onnx.Scorer(sentiment, options={"top_k": None})
    assert list(nezha_onnx.Scorer(sentiment, options={}).fields) == ["label", "score", "truncated", "error"]


def test_no_rows_are_answered_with_none(sentiment):
    rows = pyarrow.table({"text": pyarrow.array([], pyarrow.string())})
    assert nezha_onnx.Scorer(sentiment)(rows).num_rows == 0
    assert nezha_onnx.Scorer(sentiment)(rows.to_batches()[0] if rows.to_batches() else rows).num_rows == 0


def test_columns_that_are_not_there_or_clash_are_refused_by_name(sentiment):
    scorer = nezha_onnx.Scorer(sentiment)
    with pytest.raises(nezha_onnx.InputError, match="no column 'text', only body"):
        scorer(pyarrow.table({"body": [REVIEW]}))
    with pytest.raises(nezha_onnx.InputError, match="'label'"):
        scorer(pyarrow.table({"text": [REVIEW], "label": ["x"]}))
    with pytest.raises(nezha_onnx.InputError, match="expected text"):
        scorer(pyarrow.table({"text": [1]}))
