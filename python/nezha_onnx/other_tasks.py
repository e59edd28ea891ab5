"""Tasks that transformers has no pipeline for: a vector for a text, and the heads of pretraining."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Optional, Union

import numpy as np
import numpy.typing as npt

from ._checkpoint import Path
from ._pipeline import Loading, Pipeline, is_one, texts, words

if TYPE_CHECKING:
    from typing_extensions import Unpack

Answer = dict[str, Any]


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
        **loading: Unpack[Loading],
    ) -> None:
        super().__init__(model, {"pooling": pooling, "normalize": normalize, "max_length": max_length}, loading)

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
        **loading: Unpack[Loading],
    ) -> None:
        super().__init__(model, {"max_length": max_length}, loading)

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
        **loading: Unpack[Loading],
    ) -> None:
        super().__init__(model, {"max_length": max_length}, loading)

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
        **loading: Unpack[Loading],
    ) -> None:
        super().__init__(model, {"top_k": top_k, "targets": words(targets), "max_length": max_length}, loading)

    def __call__(self, text: str, text_pair: Optional[str] = None) -> Answer:
        """``fills``, the best ones for each gap, and ``is_next``, None where there is one text."""
        asked = text if text_pair is None else (text, text_pair)
        answer: Answer = self._answers([asked], self._options)[0]
        return answer
