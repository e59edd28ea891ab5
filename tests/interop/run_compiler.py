"""TVM or tinygrad, which read the file with readers of their own: `run_compiler.py CASES tvm|tinygrad`.

The models are exported without hidden states and attentions. TVM's reader needs sizes for all axes: it gets what
`--static` makes for the shape of one question, and answers that one alone.
"""

import sys
from pathlib import Path

import numpy as np
import onnx

import compare


def exported(path, folder):
    path = Path(path)
    return path.parents[2] / folder / path.parent.name / path.name


def tinygrad(path):
    from tinygrad import Tensor
    from tinygrad.nn.onnx import OnnxRunner

    def answer(inputs):
        # A runner keeps the sizes of its first inputs for its open axes.
        run = OnnxRunner(exported(path, "tools"))
        found = run({name: Tensor(it) for name, it in inputs.items()})
        return {name: it.numpy() for name, it in found.items()}

    return answer


def tvm(path):
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    model = onnx.load(exported(path, "static"))
    names = [it.name for it in model.graph.output]
    module = from_onnx(model, keep_params_in_input=False)
    machine = relax.VirtualMachine(tvm.compile(module, "llvm"), tvm.cpu())

    def answer(inputs):
        ordered = [tvm.runtime.tensor(inputs[it.name]) for it in model.graph.input]
        found = machine["main"](*ordered)
        found = [found] if hasattr(found, "numpy") else list(found)
        return {name: np.asarray(it.numpy()) for name, it in zip(names, found)}

    return answer


def fits(document, case):
    """Whether the question has the shape that the model was exported for."""
    first = onnx.load(exported(document["model"], "static")).graph.input[0]
    sizes = [it.dim_value for it in first.type.tensor_type.shape.dim]
    return case["inputs"][first.name]["shape"] == sizes


COMPILER = sys.argv[2]
if COMPILER == "tvm":
    compare.run(tvm, fits)
else:
    compare.run(tinygrad)
