"""MNN on the CPU, from the graph as its own converter takes it."""

import contextlib
import os
import tempfile
from pathlib import Path

import _tools
import MNN.expr as expr
import MNN.nn as nn
import numpy as np
import onnx

import compare

folder = tempfile.TemporaryDirectory()


@contextlib.contextmanager
def quiet():
    """MNN talks on standard output, where the results go."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def load(path):
    target = str(Path(folder.name) / "model.mnn")
    # The converter's own command sends statistics to its makers; this is what it calls.
    command = ["mnnconvert", "-f", "ONNX", "--modelFile", path, "--MNNModel", target, "--bizCode", "nezha"]
    with quiet():
        _tools.mnnconvert(command)

    def run(inputs):
        values = [expr.const(it.astype(np.int32), list(it.shape), expr.NCHW, expr.int) for it in inputs.values()]
        with quiet():
            module = nn.load_module_from_file(target, list(inputs), outputs(path))
            answers = module.forward(values)
        return {name: np.array(it.read()).reshape(it.shape) for name, it in zip(outputs(path), answers)}

    return run


def outputs(path):
    """The outputs that the graph has."""
    return [it.name for it in onnx.load(path, load_external_data=False).graph.output]


compare.run(load)
