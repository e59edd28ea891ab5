"""Text in, answers out: transformers' pipelines by their names, questions and answers.

Every class takes the folder that an export wrote, or the ``.onnx`` in it, and the same options:

- ``engine``, ``threads``, ``engine_options``: what computes, as for a :class:`~nezha_onnx.Session`;
- ``batch_size``, ``batch_tokens``: rows and tokens of a batch at most;
- ``window``: texts that are read ahead and sorted by length. Ctrl-C is seen between windows;
- ``pad_to_multiple_of``: what lengths are rounded up to.

Threads may share an object. One that was made before a fork opens its engine again in the new process, on the
first use there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from enum import Enum
from types import TracebackType
from typing import Any, Literal, Optional, TypeVar, Union

import numpy as np
import numpy.typing as npt

from . import _nezha
from ._checkpoint import Path
from ._options import EngineOptions, engine_request
from .errors import InputError, OptionError

Answer = dict[str, Any]
Self = TypeVar("Self", bound="Pipeline")


class Unset(Enum):
    """An option that is not given, where None says something."""

    UNSET = 0


UNSET = Unset.UNSET


class Pipeline:
    """What every task has."""

    #: transformers' name of the task, or that of the model's head where it has none.
    task = ""

    def __init__(
        self,
        model: Path,
        options: dict[str, Any],
        *,
        engine: str,
        threads: Optional[int],
        engine_options: Optional[EngineOptions],
        batch_size: int,
        batch_tokens: int,
        window: int,
        pad_to_multiple_of: int,
    ) -> None:
        batching = {
            "rows": batch_size,
            "tokens": batch_tokens,
            "window": window,
            "multiple": pad_to_multiple_of,
        }
        computing = engine_request(engine, threads, engine_options)
        self._options = options
        self._pipeline = _nezha.Pipeline(self.task, os.fspath(model), computing, options, batching)

    def _answers(self, inputs: list[Any], options: dict[str, Any]) -> list[Any]:
        """The answers to inputs, with these options in place of the object's own."""
        changed = options != self._options
        return self._pipeline.run(inputs, options if changed else None)

    @property
    def engine(self) -> str:
        """What computes, with its version and device."""
        return self._pipeline.engine

    @property
    def labels(self) -> list[str]:
        """Names of the model's labels, by their numbers."""
        return self._pipeline.labels

    @property
    def notes(self) -> list[str]:
        """What to know of the model and its tokenizer, though both work."""
        return self._pipeline.notes

    def close(self) -> None:
        """Frees the engine; no call is answered after it."""
        self._pipeline.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


def texts(inputs: Any) -> list[Any]:
    """One or several texts or pairs, as a list of what the module takes."""
    if isinstance(inputs, (str, Mapping)):
        return [text(inputs)]
    return [text(it) for it in inputs]


def text(given: Any) -> Any:
    """A text, or a pair as a tuple."""
    if isinstance(given, str):
        return given
    if isinstance(given, Mapping):
        pair = given.get("text_pair")
        return given["text"] if pair is None else (given["text"], pair)
    # transformers' older form of a pair.
    if isinstance(given, (list, tuple)):
        inner = given[0] if len(given) == 1 and isinstance(given[0], (list, tuple)) else given
        if len(inner) == 2 and all(isinstance(it, str) for it in inner):
            return (inner[0], inner[1])
    raise InputError(f"expected a text or a dictionary with text and text_pair, found {given!r}")


def is_one(inputs: Any) -> bool:
    """Whether one text is asked about, and not a list of them."""
    return isinstance(inputs, (str, Mapping))


class TextClassification(Pipeline):
    """A label for a text: transformers' ``text-classification``.

    Of a call without ``top_k`` the answer is the best label; with it, the best ones, or with None all of
    them. ``threshold`` leaves out labels with a lower score, and asks for all where ``top_k`` says nothing.
    ``function_to_apply`` is ``softmax``, ``sigmoid``, ``none``, or what the model was trained for.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx
    >>> _ = nezha_onnx.export("models/nezha-tiny-zh-sentiment", folder)
    >>> classifier = TextClassification(folder)
    >>> [answer] = classifier("房间很干净，服务热情，下次还会住。")
    >>> answer["label"], round(answer["score"], 3)
    ('positive', 0.996)
    >>> [it["label"] for it in classifier(["房间很干净。", "后悔买了。"])]
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
        engine: str = "auto",
        threads: Optional[int] = None,
        engine_options: Optional[EngineOptions] = None,
        batch_size: int = 8,
        batch_tokens: int = 2048,
        window: int = 256,
        pad_to_multiple_of: int = 1,
    ) -> None:
        self._top_k = top_k
        self._threshold = threshold
        self._function = function_to_apply
        self._max_length = max_length
        super().__init__(
            model,
            self._request(top_k, threshold, function_to_apply, max_length),
            engine=engine,
            threads=threads,
            engine_options=engine_options,
            batch_size=batch_size,
            batch_tokens=batch_tokens,
            window=window,
            pad_to_multiple_of=pad_to_multiple_of,
        )

    @staticmethod
    def _request(
        top_k: Union[int, None, Unset],
        threshold: Optional[float],
        function: Optional[str],
        max_length: Optional[int],
    ) -> dict[str, Any]:
        if isinstance(top_k, Unset):
            top_k = 1 if threshold is None else None
        function = None if function in (None, "default") else function.lower()  # type: ignore[union-attr]
        return {"top_k": top_k, "function": function, "max_length": max_length}

    def __call__(
        self,
        inputs: Any,
        *,
        top_k: Union[int, None, Unset] = UNSET,
        threshold: Union[float, None, Unset] = UNSET,
        function_to_apply: Union[str, None, Unset] = UNSET,
        max_length: Union[int, None, Unset] = UNSET,
    ) -> list[Any]:
        """Answers about a text, ``{"text": …, "text_pair": …}``, or a list of them."""
        chosen = self._top_k if isinstance(top_k, Unset) else top_k
        least = self._threshold if isinstance(threshold, Unset) else threshold
        function = self._function if isinstance(function_to_apply, Unset) else function_to_apply
        length = self._max_length if isinstance(max_length, Unset) else max_length
        answers = self._answers(texts(inputs), self._request(chosen, least, function, length))
        if least is not None:
            answers = [[it for it in labels if it["score"] >= least] for labels in answers]
        best_alone = isinstance(chosen, Unset) and least is None
        shaped = [labels[0] for labels in answers] if best_alone else answers
        # As transformers: one text without `top_k` in the call has its answer in a list.
        in_list = not is_one(inputs) or (isinstance(inputs, str) and isinstance(top_k, Unset))
        return shaped if in_list else shaped[0]


class TokenClassification(Pipeline):
    """Labels for the words of a text: transformers' ``token-classification``.

    ``aggregation_strategy`` is ``none``, ``simple``, ``first``, ``average`` or ``max``. With ``stride`` a long
    text is read to its end, in sequences that share so many tokens.

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
        engine: str = "auto",
        threads: Optional[int] = None,
        engine_options: Optional[EngineOptions] = None,
        batch_size: int = 8,
        batch_tokens: int = 2048,
        window: int = 256,
        pad_to_multiple_of: int = 1,
    ) -> None:
        self._threshold = threshold
        options = {
            "aggregation": aggregation_strategy.lower(),
            "ignore_labels": list(ignore_labels),
            "stride": stride,
            "max_length": max_length,
        }
        super().__init__(
            model,
            options,
            engine=engine,
            threads=threads,
            engine_options=engine_options,
            batch_size=batch_size,
            batch_tokens=batch_tokens,
            window=window,
            pad_to_multiple_of=pad_to_multiple_of,
        )

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
        """The entities of a text, or of each text of a list."""
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
        engine: str = "auto",
        threads: Optional[int] = None,
        engine_options: Optional[EngineOptions] = None,
        batch_size: int = 8,
        batch_tokens: int = 2048,
        window: int = 256,
        pad_to_multiple_of: int = 1,
    ) -> None:
        super().__init__(
            model,
            {"top_k": top_k, "targets": words(targets), "max_length": max_length},
            engine=engine,
            threads=threads,
            engine_options=engine_options,
            batch_size=batch_size,
            batch_tokens=batch_tokens,
            window=window,
            pad_to_multiple_of=pad_to_multiple_of,
        )

    def __call__(
        self,
        inputs: Any,
        *,
        top_k: Optional[int] = None,
        targets: Union[str, Sequence[str], None] = None,
        max_length: Union[int, None, Unset] = UNSET,
    ) -> list[Any]:
        """The best fills, or a list of them for each of several gaps; for each text of a list."""
        options = dict(self._options)
        if top_k is not None:
            options["top_k"] = top_k
        if targets is not None:
            options["targets"] = words(targets)
        if not isinstance(max_length, Unset):
            options["max_length"] = max_length
        answers = self._answers(texts(inputs), options)
        shaped = [gaps[0] if len(gaps) == 1 else gaps for gaps in answers]
        # As transformers: a list of one text is answered as the text.
        return shaped[0] if len(shaped) == 1 else shaped


def words(targets: Union[str, Sequence[str], None]) -> list[str]:
    """One or several words, or none."""
    return [targets] if isinstance(targets, str) else list(targets or ())


class QuestionAnswering(Pipeline):
    """The stretch of a text that answers a question: transformers' ``question-answering``.

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
        engine: str = "auto",
        threads: Optional[int] = None,
        engine_options: Optional[EngineOptions] = None,
        batch_size: int = 8,
        batch_tokens: int = 2048,
        window: int = 256,
        pad_to_multiple_of: int = 1,
    ) -> None:
        options = {
            "top_k": top_k,
            "doc_stride": doc_stride,
            "max_answer_len": max_answer_len,
            "max_length": max_seq_len,
            "handle_impossible_answer": handle_impossible_answer,
            "align_to_words": align_to_words,
        }
        super().__init__(
            model,
            options,
            engine=engine,
            threads=threads,
            engine_options=engine_options,
            batch_size=batch_size,
            batch_tokens=batch_tokens,
            window=window,
            pad_to_multiple_of=pad_to_multiple_of,
        )

    def __call__(
        self,
        inputs: Any = None,
        *,
        question: Union[str, Sequence[str], None] = None,
        context: Union[str, Sequence[str], None] = None,
        **options: Any,
    ) -> Any:
        """An answer, or several with ``top_k``, to ``question`` about ``context`` or to
        ``{"question": …, "context": …}``; for lists of them a list."""
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
    """Questions with their contexts, however they are given."""
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

    An answer is a list ``[1][tokens][hidden size]``; with ``return_tensors`` an array of that shape.

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
        engine: str = "auto",
        threads: Optional[int] = None,
        engine_options: Optional[EngineOptions] = None,
        batch_size: int = 8,
        batch_tokens: int = 2048,
        window: int = 256,
        pad_to_multiple_of: int = 1,
    ) -> None:
        self._return_tensors = return_tensors
        super().__init__(
            model,
            {"max_length": max_length},
            engine=engine,
            threads=threads,
            engine_options=engine_options,
            batch_size=batch_size,
            batch_tokens=batch_tokens,
            window=window,
            pad_to_multiple_of=pad_to_multiple_of,
        )

    def __call__(
        self,
        inputs: Any,
        *,
        return_tensors: Optional[bool] = None,
        max_length: Union[int, None, Unset] = UNSET,
    ) -> Any:
        """The vectors of a text, or of each text of a list."""
        options = dict(self._options)
        if not isinstance(max_length, Unset):
            options["max_length"] = max_length
        arrays = [it[np.newaxis] for it in self._answers(texts(inputs), options)]
        as_arrays = self._return_tensors if return_tensors is None else return_tensors
        answers = arrays if as_arrays else [it.tolist() for it in arrays]
        return answers[0] if is_one(inputs) else answers


class Embedding(Pipeline):
    """One vector for a text: the vectors of its tokens, pooled.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx
    >>> _ = nezha_onnx.export("models/nezha-tiny-zh", folder, head="base")
    >>> embed = Embedding(folder, normalize=True)
    >>> embed(["房间很干净", "总理会见首相"]).shape
    (2, 128)
    """

    task = "embedding"

    def __init__(
        self,
        model: Path,
        *,
        pooling: Literal["cls", "mean", "max"] = "mean",
        normalize: bool = False,
        max_length: Optional[int] = None,
        engine: str = "auto",
        threads: Optional[int] = None,
        engine_options: Optional[EngineOptions] = None,
        batch_size: int = 8,
        batch_tokens: int = 2048,
        window: int = 256,
        pad_to_multiple_of: int = 1,
    ) -> None:
        super().__init__(
            model,
            {"pooling": pooling, "normalize": normalize, "max_length": max_length},
            engine=engine,
            threads=threads,
            engine_options=engine_options,
            batch_size=batch_size,
            batch_tokens=batch_tokens,
            window=window,
            pad_to_multiple_of=pad_to_multiple_of,
        )

    def __call__(self, inputs: Any) -> npt.NDArray[np.float32]:
        """The vector of a text, ``[hidden size]``, or of each text of a list, ``[texts, hidden size]``."""
        vectors = self._answers(texts(inputs), self._options)
        if is_one(inputs):
            vector: npt.NDArray[np.float32] = vectors[0]
            return vector
        return np.stack(vectors) if vectors else np.empty((0, 0), dtype=np.float32)


class MultipleChoice(Pipeline):
    """The choice that goes with a text best.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx
    >>> _ = nezha_onnx.export("tests/fixtures/text/multiple-choice", folder)
    >>> answer = MultipleChoice(folder)("房间很干净，服务热情，", ["下次还会住。", "老板姓李。"])
    >>> len(answer["scores"])
    2
    """

    task = "multiple-choice"

    def __init__(
        self,
        model: Path,
        *,
        max_length: Optional[int] = None,
        engine: str = "auto",
        threads: Optional[int] = None,
        engine_options: Optional[EngineOptions] = None,
        batch_size: int = 8,
        batch_tokens: int = 2048,
        window: int = 256,
        pad_to_multiple_of: int = 1,
    ) -> None:
        super().__init__(
            model,
            {"max_length": max_length},
            engine=engine,
            threads=threads,
            engine_options=engine_options,
            batch_size=batch_size,
            batch_tokens=batch_tokens,
            window=window,
            pad_to_multiple_of=pad_to_multiple_of,
        )

    def __call__(self, text: str, choices: Sequence[str]) -> Answer:
        """The number of the best choice, from 0, and the probability of each."""
        answer: Answer = self._answers([(text, list(choices))], self._options)[0]
        return answer


class NextSentence(Pipeline):
    """Whether a text follows another.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx
    >>> _ = nezha_onnx.export("models/nezha-tiny-zh", folder, head="next-sentence")
    >>> 0.0 <= NextSentence(folder)("这家酒店的位置很好。", "下次还会住。")["is_next"] <= 1.0
    True
    """

    task = "next-sentence"

    def __init__(
        self,
        model: Path,
        *,
        max_length: Optional[int] = None,
        engine: str = "auto",
        threads: Optional[int] = None,
        engine_options: Optional[EngineOptions] = None,
        batch_size: int = 8,
        batch_tokens: int = 2048,
        window: int = 256,
        pad_to_multiple_of: int = 1,
    ) -> None:
        super().__init__(
            model,
            {"max_length": max_length},
            engine=engine,
            threads=threads,
            engine_options=engine_options,
            batch_size=batch_size,
            batch_tokens=batch_tokens,
            window=window,
            pad_to_multiple_of=pad_to_multiple_of,
        )

    def __call__(self, text: str, text_pair: str) -> Answer:
        """The probability that the second text follows the first."""
        answer: Answer = self._answers([(text, text_pair)], self._options)[0]
        return answer


class Pretraining(Pipeline):
    """Both of a pretrained model's answers in one run: fills for the gaps, and whether a text follows.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx
    >>> _ = nezha_onnx.export("models/nezha-tiny-zh", folder, head="pretraining")
    >>> answer = Pretraining(folder)("这家[MASK]店很好。", "下次还会住。")
    >>> answer["fills"][0][0]["token_str"]
    '酒'
    """

    task = "pretraining"

    def __init__(
        self,
        model: Path,
        *,
        top_k: int = 5,
        targets: Union[str, Sequence[str], None] = None,
        max_length: Optional[int] = None,
        engine: str = "auto",
        threads: Optional[int] = None,
        engine_options: Optional[EngineOptions] = None,
        batch_size: int = 8,
        batch_tokens: int = 2048,
        window: int = 256,
        pad_to_multiple_of: int = 1,
    ) -> None:
        super().__init__(
            model,
            {"top_k": top_k, "targets": words(targets), "max_length": max_length},
            engine=engine,
            threads=threads,
            engine_options=engine_options,
            batch_size=batch_size,
            batch_tokens=batch_tokens,
            window=window,
            pad_to_multiple_of=pad_to_multiple_of,
        )

    def __call__(self, text: str, text_pair: Optional[str] = None) -> Answer:
        """``fills``, the best ones for each gap, and ``is_next``, None where there is one text."""
        asked = text if text_pair is None else (text, text_pair)
        answer: Answer = self._answers([asked], self._options)[0]
        return answer


TASKS: dict[str, type[Pipeline]] = {
    "text-classification": TextClassification,
    "sentiment-analysis": TextClassification,
    "token-classification": TokenClassification,
    "ner": TokenClassification,
    "fill-mask": FillMask,
    "question-answering": QuestionAnswering,
    "feature-extraction": FeatureExtraction,
    "embedding": Embedding,
    "multiple-choice": MultipleChoice,
    "next-sentence": NextSentence,
    "pretraining": Pretraining,
}


def pipeline(task: str, model: Path, **options: Any) -> Any:
    """The class of a task by the name that transformers has for it, with its options.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx
    >>> _ = nezha_onnx.export("models/nezha-tiny-zh-sentiment", folder)
    >>> type(pipeline("sentiment-analysis", folder)).__name__
    'TextClassification'
    """
    if task not in TASKS:
        raise OptionError(f"no task '{task}', only {', '.join(TASKS)}")
    return TASKS[task](model, **options)
