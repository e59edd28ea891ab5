"""Optimum's ORTModels on what `--layout optimum` writes, in PyTorch tensors."""

from pathlib import Path

import torch
from optimum.onnxruntime import (
    ORTModelForFeatureExtraction,
    ORTModelForMaskedLM,
    ORTModelForMultipleChoice,
    ORTModelForQuestionAnswering,
    ORTModelForSequenceClassification,
    ORTModelForTokenClassification,
)

import compare

CLASSES = {
    "base": ORTModelForFeatureExtraction,
    "masked-lm": ORTModelForMaskedLM,
    "sequence-classification": ORTModelForSequenceClassification,
    "multiple-choice": ORTModelForMultipleChoice,
    "token-classification": ORTModelForTokenClassification,
    "question-answering": ORTModelForQuestionAnswering,
}


def load(path):
    artifact = Path(path).parent
    head = artifact.name
    if head not in CLASSES:
        raise compare.Skipped("no class for it")
    model = CLASSES[head].from_pretrained(artifact.parents[1] / "optimum" / head)

    def run(inputs):
        answers = model(**{name: torch.from_numpy(it) for name, it in inputs.items()})
        return {name: it.numpy() for name, it in answers.items()}

    return run


compare.run(load)
