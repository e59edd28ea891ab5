"""TVM or tinygrad, which read the file with readers of their own: `run_compiler.py CASES tvm|tinygrad`."""

import sys
from pathlib import Path

import numpy as np
import onnx

import compare


def exported(path):
    """The model without hidden states and attentions."""
    path = Path(path)
    return path.parents[2] / "tools" / path.parent.name / path.name


def tinygrad(path):
    from tinygrad import Tensor
    from tinygrad.nn.onnx import OnnxRunner

    run = OnnxRunner(exported(path))

    def answer(inputs):
        found = run({name: Tensor(it) for name, it in inputs.items()})
        return {name: it.numpy() for name, it in found.items()}

    return answer


def tvm(path):
    """Compiled for the shape of each question: its own reader does not get through with open axes."""
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    model = onnx.load(exported(path))
    names = [it.name for it in model.graph.output]

    def answer(inputs):
        shapes = {name: list(it.shape) for name, it in inputs.items()}
        module = from_onnx(model, shape_dict=shapes, dtype_dict={name: "int64" for name in inputs})
        machine = relax.VirtualMachine(tvm.compile(module, "llvm"), tvm.cpu())
        ordered = [tvm.runtime.tensor(inputs[it.name]) for it in model.graph.input]
        found = machine["main"](*ordered)
        found = [found] if len(names) == 1 and hasattr(found, "numpy") else list(found)
        return {name: np.asarray(it.numpy()) for name, it in zip(names, found)}

    return answer


compare.run({"tvm": tvm, "tinygrad": tinygrad}[sys.argv[2]])
