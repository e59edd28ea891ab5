"""A tool that people run over ONNX files, and ONNX Runtime on what it wrote: `run_tool.py CASES TOOL`.

The models are exported without hidden states and attentions, as people have them.
"""

import contextlib
import sys
import tempfile
from pathlib import Path

import onnx
import onnxruntime

import compare

BATCH, SEQUENCE, CHOICES = "batch_size", "sequence_length", "num_choices"


def onnxslim(source, target):
    import onnxslim

    with contextlib.redirect_stdout(sys.stderr):
        onnxslim.slim(source, target)


def onnxsim(source, target):
    import onnxsim

    model, sound = onnxsim.simplify(onnx.load(source))
    if not sound:
        raise ValueError("onnxsim's own check fails")
    onnx.save(model, target)


def onnxoptimizer(source, target):
    import onnxoptimizer

    onnx.save(onnxoptimizer.optimize(onnx.load(source)), target)


def float16(source, target):
    from onnxconverter_common import float16

    # Without it, the Cast of the mask keeps float32 where its reader expects float16.
    blocked = [*float16.DEFAULT_OP_BLOCK_LIST, "Cast"]
    onnx.save(float16.convert_float_to_float16(onnx.load(source), keep_io_types=True, op_block_list=blocked), target)


def graphsurgeon(source, target):
    import onnx_graphsurgeon

    graph = onnx_graphsurgeon.import_onnx(onnx.load(source))
    onnx.save(onnx_graphsurgeon.export_onnx(graph.cleanup().toposort()), target)


def offline(source, target):
    """Each level over what the one before wrote."""
    levels = onnxruntime.GraphOptimizationLevel
    for level in (levels.ORT_ENABLE_BASIC, levels.ORT_ENABLE_EXTENDED, levels.ORT_ENABLE_ALL):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        options.optimized_model_filepath = target
        onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        source = target


def ort_format(source, target):
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.optimized_model_filepath = target
    onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def quantize_dynamic(source, target):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True)


def compress_weights(source, target):
    import nncf

    onnx.save(nncf.compress_weights(onnx.load(source)), target)


TOOLS = {it.__name__: it for it in (onnxslim, onnxsim, onnxoptimizer, float16, graphsurgeon, offline, quantize_dynamic, compress_weights)}


def session(path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [it.name for it in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs)))


def fixed_shapes(source, folder):
    """ONNX Runtime's make_dynamic_shape_fixed, for the shape of each question anew."""
    from onnxruntime.tools.onnx_model_utils import fix_output_shapes, make_dim_param_fixed

    def answer(inputs):
        model = onnx.load(source)
        shape = next(iter(inputs.values())).shape
        axes = [BATCH, CHOICES, SEQUENCE] if len(shape) == 3 else [BATCH, SEQUENCE]
        for axis, size in zip(axes, shape):
            make_dim_param_fixed(model.graph, axis, size)
        fix_output_shapes(model)
        target = str(folder / f"{'x'.join(map(str, shape))}.onnx")
        onnx.save(model, target)
        return session(target)(inputs)

    return answer


def load(path):
    path = Path(path)
    source = str(path.parents[2] / "tools" / path.parent.name / path.name)
    folder = Path(tempfile.mkdtemp())
    if TOOL == "make_dynamic_shape_fixed":
        return fixed_shapes(source, folder)
    if TOOL == "ort_format":
        target = str(folder / "model.ort")
        ort_format(source, target)
    else:
        target = str(folder / "model.onnx")
        TOOLS[TOOL](source, target)
    return session(target)


TOOL = sys.argv[2]
# The converter cuts the mask to -1e4, beside which the scores of a row that sees nothing are no longer equal.
compare.run(load, lambda document, case: TOOL != "float16" or case["name"] != "masked-row")
