"""ONNX's own evaluator in numpy."""

from onnx.reference import ReferenceEvaluator

import compare


def load(path):
    evaluator = ReferenceEvaluator(path)
    return lambda inputs: dict(zip(evaluator.output_names, evaluator.run(None, inputs)))


compare.run(load)
