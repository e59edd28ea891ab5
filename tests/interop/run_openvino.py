"""OpenVINO on the CPU, in float32: its default is bfloat16 where the CPU has it."""

import openvino

import compare

core = openvino.Core()


def load(path):
    compiled = core.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = [it.get_any_name() for it in compiled.outputs]

    def run(inputs):
        answers = compiled(inputs)
        return {name: answers[name] for name in names}

    return run


compare.run(load)
