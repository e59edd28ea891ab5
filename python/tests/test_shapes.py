"""One text or several, with `top_k` in the call, in the constructor or nowhere: answers have the shapes that
transformers 4.46 gives them, oddities included, so that a service changes one line."""

import pytest
from conftest import COMPLAINT, MODELS, REVIEW, TEXT

import nezha_onnx


def test_one_text_without_top_k_is_a_list_of_one_dictionary(sentiment):
    [answer] = nezha_onnx.TextClassification(sentiment)(REVIEW)
    assert list(answer) == ["label", "score"]
    assert answer["label"] == "positive"


def test_several_texts_without_top_k_are_a_dictionary_each(sentiment):
    answers = nezha_onnx.TextClassification(sentiment)([REVIEW, COMPLAINT])
    assert [it["label"] for it in answers] == ["positive", "negative"]


def test_top_k_in_the_call_is_a_list_of_labels_for_each_text(sentiment):
    classifier = nezha_onnx.TextClassification(sentiment)
    assert [it["label"] for it in classifier(REVIEW, top_k=None)] == ["positive", "negative"]
    assert [[it["label"] for it in labels] for labels in classifier([REVIEW, COMPLAINT], top_k=1)] == [
        ["positive"],
        ["negative"],
    ]


def test_top_k_in_the_constructor_puts_one_texts_labels_into_a_list_of_its_own(sentiment):
    [labels] = nezha_onnx.TextClassification(sentiment, top_k=2)(REVIEW)
    assert [it["label"] for it in labels] == ["positive", "negative"]


def test_a_dictionary_is_answered_as_itself(sentiment):
    answer = nezha_onnx.TextClassification(sentiment)({"text": REVIEW, "text_pair": COMPLAINT})
    assert answer["label"] == "positive"


def test_a_threshold_leaves_out_labels_below_it(exported):
    classifier = nezha_onnx.TextClassification(exported(TEXT / "multi-label"))
    labels = classifier(REVIEW, top_k=None, threshold=0.5)
    assert [it["label"] for it in labels] == ["LABEL_1", "LABEL_2", "LABEL_3"]
    assert all(it["score"] >= 0.5 for it in labels)


def test_a_list_of_texts_has_a_list_of_entities_each(exported):
    names = nezha_onnx.TokenClassification(exported(MODELS / "nezha-tiny-zh-ner"), aggregation_strategy="simple")
    [first, second] = names(["国务院总理李鹏今天来了", "没有名字。"])
    assert [it["entity_group"] for it in first] == ["ORG", "PER"]
    assert second == []
    assert [it["entity"] for it in names("李鹏", aggregation_strategy="none")][:1] == ["B-PER"]


def test_a_list_of_one_text_is_filled_as_the_text(exported):
    fill = nezha_onnx.FillMask(exported(MODELS / "nezha-tiny-zh", "masked-lm"), top_k=1)
    text = "这家[MASK]店的服务态度很好。"
    assert fill([text]) == fill(text)
    assert [len(it) for it in fill([text, text])] == [1, 1]


def test_questions_come_as_words_dictionaries_or_lists(exported):
    oracle = nezha_onnx.QuestionAnswering(exported(TEXT / "question-answering"))
    context = "这家酒店在北京，房间很大，服务很好。"
    one = oracle(question="酒店在哪里？", context=context)
    assert one == oracle({"question": "酒店在哪里？", "context": context})
    assert oracle(question=["酒店在哪里？"] * 2, context=context) == [one, one]


def test_features_are_nested_lists_or_arrays(exported):
    features = nezha_onnx.FeatureExtraction(exported(MODELS / "nezha-tiny-zh", "base"))
    [tokens] = features("房间很干净")
    assert (len(tokens), len(tokens[0])) == (7, 128)
    [one, two] = features(["房间很干净", "好"], return_tensors=True)
    assert (one.shape, two.shape) == ((1, 7, 128), (1, 3, 128))
    assert one.tolist() == [tokens]


def test_no_text_has_no_answer(sentiment):
    assert nezha_onnx.TextClassification(sentiment)([]) == []


@pytest.mark.parametrize("given", [3, [3], {"txt": "x"}])
def test_what_is_no_text_is_refused(sentiment, given):
    with pytest.raises((nezha_onnx.InputError, TypeError, KeyError)):
        nezha_onnx.TextClassification(sentiment)(given)
