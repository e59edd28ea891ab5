"""Text in, answers out: pipelines with the names, inputs and answers of transformers.

Every class takes the folder that an export wrote, or the ``.onnx`` file in it, its own options, and those of
``Loading``, which choose the engine and say how texts are batched.

Threads may share a pipeline. After a fork, it opens its engine again in the new process, at its first use there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Union

import numpy as np

from ._checkpoint import Path
from ._pipeline import UNSET, Loading, Pipeline, Unset, is_one, texts, words
from .errors import InputError, OptionError
from .other_tasks import (
    Embedding,
    MultipleChoice,
    NextSentence,
    Pretraining,
    SpanClassification,
    WordClassification,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack


class TextClassification(Pipeline):
    """The labels of a text: transformers' ``text-classification``.

    Without ``top_k``, the answer is the best label; with it, that number of the best labels, or all for None.
    ``threshold`` omits labels with a lower score; without ``top_k``, it then applies to all labels.
    ``function_to_apply`` is ``softmax``, ``sigmoid`` or ``none``; by default what the model was trained with.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx
    >>> _ = nezha_onnx.export("models/nezha-tiny-zh-sentiment", folder)
    >>> classifier = TextClassification(folder)
    >>> [answer] = classifier("房间很干净，服务热情，下次还会住。")
    >>> answer["label"], round(answer["score"], 3)
    ('positive', 0.996)
    >>> [it["label"] for it in classifier(["房间很干净，服务热情。", "客服不理人，后悔买了。"])]
    ['positive', 'negative']
    """

    task = "text-classification"

    def __init__(
        self,
        model: Path,
        *,
        top_k: Union[int, None, Unset] = UNSET,
        threshold: Optional[float] = None,
        function_to_apply: Optional[str] = None,
        max_length: Optional[int] = None,
        **loading: Unpack[Loading],
    ) -> None:
        self._top_k = top_k
        self._threshold = threshold
        self._function = function_to_apply
        self._max_length = max_length
        super().__init__(model, self._request(top_k, threshold, function_to_apply, max_length), loading)

    @staticmethod
    def _request(
        top_k: Union[int, None, Unset],
        threshold: Optional[float],
        function: Optional[str],
        max_length: Optional[int],
    ) -> dict[str, Any]:
        if isinstance(top_k, Unset):
            top_k = 1 if threshold is None else None
        trained = function is None or function == "default"
        return {"top_k": top_k, "function": None if trained else function, "max_length": max_length}

    def __call__(
        self,
        inputs: Any,
        *,
        top_k: Union[int, None, Unset] = UNSET,
        threshold: Union[float, None, Unset] = UNSET,
        function_to_apply: Union[str, None, Unset] = UNSET,
        max_length: Union[int, None, Unset] = UNSET,
    ) -> list[Any]:
        """The labels of a text, of ``{"text": …, "text_pair": …}``, or of a list of them."""
        chosen = self._top_k if isinstance(top_k, Unset) else top_k
        least = self._threshold if isinstance(threshold, Unset) else threshold
        function = self._function if isinstance(function_to_apply, Unset) else function_to_apply
        length = self._max_length if isinstance(max_length, Unset) else max_length
        answers = self._answers(texts(inputs), self._request(chosen, least, function, length))
        if least is not None:
            answers = [[it for it in labels if it["score"] >= least] for labels in answers]
        best_alone = isinstance(chosen, Unset) and least is None
        shaped = [labels[0] for labels in answers] if best_alone else answers
        # As in transformers, the answer to one text is in a list if the call has no `top_k`.
        in_list = not is_one(inputs) or (isinstance(inputs, str) and isinstance(top_k, Unset))
        return shaped if in_list else shaped[0]


class TokenClassification(Pipeline):
    """Labels for the words of a text: transformers' ``token-classification``.

    ``aggregation_strategy`` is ``none``, ``simple``, ``first``, ``average`` or ``max``. With ``stride``, a long
    text is read to its end, in sequences that share this many tokens.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx
    >>> _ = nezha_onnx.export("models/nezha-tiny-zh-ner", folder)
    >>> names = TokenClassification(folder, aggregation_strategy="simple")
    >>> [(it["entity_group"], it["start"], it["end"]) for it in names("国务院总理李鹏今天来了")]
    [('ORG', 0, 3), ('PER', 5, 7)]
    """

    task = "token-classification"

    def __init__(
        self,
        model: Path,
        *,
        aggregation_strategy: str = "none",
        ignore_labels: Sequence[str] = ("O",),
        stride: Optional[int] = None,
        threshold: float = 0.0,
        max_length: Optional[int] = None,
        **loading: Unpack[Loading],
    ) -> None:
        self._threshold = threshold
        options = {
            "aggregation": aggregation_strategy.lower(),
            "ignore_labels": list(ignore_labels),
            "stride": stride,
            "max_length": max_length,
        }
        super().__init__(model, options, loading)

    def __call__(
        self,
        inputs: Any,
        *,
        aggregation_strategy: Optional[str] = None,
        ignore_labels: Optional[Sequence[str]] = None,
        stride: Union[int, None, Unset] = UNSET,
        threshold: Optional[float] = None,
        max_length: Union[int, None, Unset] = UNSET,
    ) -> list[Any]:
        """The entities of a text, or those of each text in a list."""
        options = dict(self._options)
        if aggregation_strategy is not None:
            options["aggregation"] = aggregation_strategy.lower()
        if ignore_labels is not None:
            options["ignore_labels"] = list(ignore_labels)
        if not isinstance(stride, Unset):
            options["stride"] = stride
        if not isinstance(max_length, Unset):
            options["max_length"] = max_length
        least = self._threshold if threshold is None else threshold
        answers = self._answers(texts(inputs), options)
        if least > 0.0:
            answers = [[it for it in entities if it["score"] >= least] for entities in answers]
        return answers[0] if is_one(inputs) else answers


class FillMask(Pipeline):
    """The words that fit the gaps of a text: transformers' ``fill-mask``.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx
    >>> _ = nezha_onnx.export("models/nezha-tiny-zh", folder, head="masked-lm")
    >>> fills = FillMask(folder, top_k=2)("这家[MASK]店的服务态度很好。")
    >>> [it["token_str"] for it in fills]
    ['酒', '饭']
    """

    task = "fill-mask"

    def __init__(
        self,
        model: Path,
        *,
        top_k: int = 5,
        targets: Union[str, Sequence[str], None] = None,
        max_length: Optional[int] = None,
        **loading: Unpack[Loading],
    ) -> None:
        super().__init__(model, {"top_k": top_k, "targets": words(targets), "max_length": max_length}, loading)

    def __call__(
        self,
        inputs: Any,
        *,
        top_k: Optional[int] = None,
        targets: Union[str, Sequence[str], None] = None,
        max_length: Union[int, None, Unset] = UNSET,
    ) -> list[Any]:
        """The best fills of a text, or a list of them for each of several gaps; for a list, those of each text."""
        options = dict(self._options)
        if top_k is not None:
            options["top_k"] = top_k
        if targets is not None:
            options["targets"] = words(targets)
        if not isinstance(max_length, Unset):
            options["max_length"] = max_length
        answers = self._answers(texts(inputs), options)
        shaped = [gaps[0] if len(gaps) == 1 else gaps for gaps in answers]
        # As in transformers, a list of one text is answered like the text itself.
        return shaped[0] if len(shaped) == 1 else shaped


class QuestionAnswering(Pipeline):
    """The span of a text that answers a question: transformers' ``question-answering``.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx
    >>> _ = nezha_onnx.export("tests/fixtures/text/question-answering", folder)
    >>> oracle = QuestionAnswering(folder)
    >>> answer = oracle(question="酒店在哪里？", context="这家酒店在北京，房间很大。")
    >>> sorted(answer)
    ['answer', 'end', 'score', 'start']
    """

    task = "question-answering"

    def __init__(
        self,
        model: Path,
        *,
        top_k: int = 1,
        doc_stride: Optional[int] = None,
        max_answer_len: int = 15,
        max_seq_len: Optional[int] = None,
        handle_impossible_answer: bool = False,
        align_to_words: bool = True,
        **loading: Unpack[Loading],
    ) -> None:
        options = {
            "top_k": top_k,
            "doc_stride": doc_stride,
            "max_answer_len": max_answer_len,
            "max_length": max_seq_len,
            "handle_impossible_answer": handle_impossible_answer,
            "align_to_words": align_to_words,
        }
        super().__init__(model, options, loading)

    def __call__(
        self,
        inputs: Any = None,
        *,
        question: Union[str, Sequence[str], None] = None,
        context: Union[str, Sequence[str], None] = None,
        **options: Any,
    ) -> Any:
        """The answer to ``question`` about ``context``, or to ``{"question": …, "context": …}``; with ``top_k``,
        several answers. For lists of questions, a list."""
        asked = dict(self._options)
        for name, value in options.items():
            field = "max_length" if name == "max_seq_len" else name
            if field not in asked:
                raise OptionError(f"question-answering takes no '{name}'")
            asked[field] = value
        questions = pairs(inputs, question, context)
        answers = self._answers(questions, asked)
        shaped = [found[0] if len(found) == 1 else found for found in answers]
        return shaped[0] if len(shaped) == 1 else shaped


def pairs(inputs: Any, question: Any, context: Any) -> list[tuple[str, str]]:
    """Questions with their contexts, from any of the forms of a call."""
    if inputs is not None:
        asked = [inputs] if isinstance(inputs, Mapping) else list(inputs)
        return [(it["question"], it["context"]) for it in asked]
    if question is None or context is None:
        raise InputError("a question and a context are needed")
    questions = [question] if isinstance(question, str) else list(question)
    contexts = [context] * len(questions) if isinstance(context, str) else list(context)
    if len(questions) != len(contexts):
        raise InputError(f"{len(questions)} questions, but {len(contexts)} contexts")
    return list(zip(questions, contexts))


class FeatureExtraction(Pipeline):
    """The model's vectors for the tokens of a text: transformers' ``feature-extraction``.

    An answer is a list ``[1][tokens][hidden size]``; with ``return_tensors``, an array of that shape.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx
    >>> _ = nezha_onnx.export("models/nezha-tiny-zh", folder, head="base")
    >>> FeatureExtraction(folder, return_tensors=True)("房间很干净").shape
    (1, 7, 128)
    """

    task = "feature-extraction"

    def __init__(
        self,
        model: Path,
        *,
        return_tensors: bool = False,
        max_length: Optional[int] = None,
        **loading: Unpack[Loading],
    ) -> None:
        self._return_tensors = return_tensors
        super().__init__(model, {"max_length": max_length}, loading)

    def __call__(
        self,
        inputs: Any,
        *,
        return_tensors: Optional[bool] = None,
        max_length: Union[int, None, Unset] = UNSET,
    ) -> Any:
        """The vectors of a text, or those of each text in a list."""
        options = dict(self._options)
        if not isinstance(max_length, Unset):
            options["max_length"] = max_length
        arrays = [it[np.newaxis] for it in self._answers(texts(inputs), options)]
        as_arrays = self._return_tensors if return_tensors is None else return_tensors
        answers = arrays if as_arrays else [it.tolist() for it in arrays]
        return answers[0] if is_one(inputs) else answers


TASKS: dict[str, type[Pipeline]] = {
    "text-classification": TextClassification,
    "sentiment-analysis": TextClassification,
    "token-classification": TokenClassification,
    "ner": TokenClassification,
    "fill-mask": FillMask,
    "question-answering": QuestionAnswering,
    "feature-extraction": FeatureExtraction,
    "embedding": Embedding,
    "word-classification": WordClassification,
    "span-classification": SpanClassification,
    "multiple-choice": MultipleChoice,
    "next-sentence": NextSentence,
    "pretraining": Pretraining,
}


def pipeline(task: str, model: Path, **options: Any) -> Any:
    """Opens a model for a task, by the task's name in transformers, with the options of the task's class.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx
    >>> _ = nezha_onnx.export("models/nezha-tiny-zh-sentiment", folder)
    >>> type(pipeline("sentiment-analysis", folder)).__name__
    'TextClassification'
    """
    if task not in TASKS:
        raise OptionError(f"no task '{task}', only {', '.join(TASKS)}")
    return TASKS[task](model, **options)
