"""ONNX Runtime's Python package on the CPU."""

import onnxruntime

import compare


def load(path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [it.name for it in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs)))


compare.run(load)
