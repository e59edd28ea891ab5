"""Tasks without a pipeline in transformers: a vector for a text, labels for given words, spans from a head of your
own, multiple choice, and the heads of pretraining."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Optional, Union

import numpy as np
import numpy.typing as npt

from . import _nezha
from ._checkpoint import Path
from ._pipeline import Loading, Pipeline, is_one, texts, words

if TYPE_CHECKING:
    from typing_extensions import Unpack

Answer = dict[str, Any]


class Embedding(Pipeline):
    """One vector for a text, pooled from the vectors of its tokens.

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
        **loading: Unpack[Loading],
    ) -> None:
        super().__init__(model, {"pooling": pooling, "normalize": normalize, "max_length": max_length}, loading)

    def __call__(self, inputs: Any) -> npt.NDArray[np.float32]:
        """The vector of a text, ``[hidden size]``, or those of a list of texts, ``[texts, hidden size]``."""
        vectors = self._answers(texts(inputs), self._options)
        if is_one(inputs):
            vector: npt.NDArray[np.float32] = vectors[0]
            return vector
        return np.stack(vectors) if vectors else np.empty((0, 0), dtype=np.float32)


class MultipleChoice(Pipeline):
    """The choice that fits a text best.

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
        **loading: Unpack[Loading],
    ) -> None:
        super().__init__(model, {"max_length": max_length}, loading)

    def __call__(self, text: str, choices: Sequence[str]) -> Answer:
        """``choice``, the index of the best choice from 0, and ``scores``, the probability of each."""
        answer: Answer = self._answers([(text, list(choices))], self._options)[0]
        return answer


class WordClassification(Pipeline):
    """A label for each word of a text, as for transformers' models with ``is_split_into_words``. The label of a
    word is that of its first token.

    ``split`` says how a text is split into words: ``characters`` (a blank is one too), ``spaces`` (blanks separate
    words), or a list of words, of which the longest that fits is taken repeatedly. With ``stride``, a long text is
    read to its end.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx
    >>> _ = nezha_onnx.export("models/nezha-tiny-zh-ner", folder)
    >>> label = WordClassification(folder)
    >>> [(it["word"], it["label"]) for it in label("总理李鹏")]
    [('总', 'O'), ('理', 'O'), ('李', 'B-PER'), ('鹏', 'I-PER')]
    >>> [it["label"] for it in label({"words": ["总理", "李鹏"]})]
    ['O', 'B-PER']
    """

    task = "word-classification"

    def __init__(
        self,
        model: Path,
        *,
        split: Union[str, Sequence[str]] = "characters",
        stride: Optional[int] = None,
        max_length: Optional[int] = None,
        **loading: Unpack[Loading],
    ) -> None:
        self._split = _nezha.Split(split if isinstance(split, str) else list(split))
        super().__init__(model, {"stride": stride, "max_length": max_length}, loading)

    def __call__(self, inputs: Any) -> list[Any]:
        """The words of a text with ``word``, ``label``, ``score``, ``start`` and ``end``, or those of each text in a
        list.

        A text is a string, or ``{"words": […]}``. The label is None if the model saw no token of the word: the
        tokenizer drops blanks, and a text that is too long is truncated.
        """
        given = [inputs] if is_one(inputs) else list(inputs)
        asked = [list(it["words"]) if isinstance(it, Mapping) else (it, self._split) for it in given]
        answers = self._answers(asked, self._options)
        return answers[0] if is_one(inputs) else answers


class SpanClassification(Pipeline):
    '''The labelled spans of a text, which may be nested, from a head of your own (GlobalPointer, or starts and ends).

    A span's score must exceed ``threshold``, by default the one in the head's spec. With ``nested=False``, only the
    best of overlapping spans is kept. With ``stride``, a long text is read to its end.

    >>> folder = getfixture("tmp_path")
    >>> import nezha_onnx
    >>> output = """
    ... [[outputs]]
    ... name = "{}_logits"
    ... task = "span-classification"
    ... read = "tokens"
    ... steps = [{{ linear = {{ module = "classifier" }} }}]
    ... """
    >>> spec = 'name = "starts-and-ends"' + output.format("start") + output.format("end")
    >>> _ = (folder / "head.toml").write_text(spec)
    >>> _ = nezha_onnx.export("models/nezha-tiny-zh-ner", folder / "out", head_spec=folder / "head.toml")
    >>> [(it["text"], it["label"]) for it in SpanClassification(folder / "out")("总理李鹏")]
    [('李', 'B-PER'), ('鹏', 'I-PER')]
    '''

    task = "span-classification"

    def __init__(
        self,
        model: Path,
        *,
        threshold: Optional[float] = None,
        nested: bool = True,
        stride: Optional[int] = None,
        max_length: Optional[int] = None,
        **loading: Unpack[Loading],
    ) -> None:
        options = {"threshold": threshold, "nested": nested, "stride": stride, "max_length": max_length}
        super().__init__(model, options, loading)

    def __call__(self, inputs: Any) -> list[Any]:
        """The spans of a text with ``label``, ``score``, ``start``, ``end`` and ``text``, or those of each text in a
        list."""
        answers = self._answers(texts(inputs), self._options)
        return answers[0] if is_one(inputs) else answers


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
        **loading: Unpack[Loading],
    ) -> None:
        super().__init__(model, {"max_length": max_length}, loading)

    def __call__(self, text: str, text_pair: str) -> Answer:
        """``is_next``, the probability that the second text follows the first."""
        answer: Answer = self._answers([(text, text_pair)], self._options)[0]
        return answer


class Pretraining(Pipeline):
    """Both answers of a pretrained model in one run: fills for the gaps, and whether the second text follows.

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
        **loading: Unpack[Loading],
    ) -> None:
        super().__init__(model, {"top_k": top_k, "targets": words(targets), "max_length": max_length}, loading)

    def __call__(self, text: str, text_pair: Optional[str] = None) -> Answer:
        """``fills``, the best ones for each gap, and ``is_next``, which is None if there is only one text."""
        asked = text if text_pair is None else (text, text_pair)
        answer: Answer = self._answers([asked], self._options)[0]
        return answer
