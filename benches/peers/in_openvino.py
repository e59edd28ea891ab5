"""Our artifacts in OpenVINO beside a BERT of the same size, in one interleaved run; needs no torch.

    python benches/peers/in_openvino.py FOLDER [--nezha nezha] [--shapes 1x16,1x64] [--seconds 2] [--threads 2] [--made]
                                     [--others]

Writes into FOLDER, with random weights at base size: a NEZHA and a BERT, which is the same with M = 0, that is without
relative positions, both through `nezha export`; the BERT through onnxruntime's dynamic per-tensor quantizer too. Then
`nezha bench` has all of them take turns in ONNX Runtime and in OpenVINO with f32 and with bf16, and in a second run both
forms of the graph in ONNX Runtime and tract. With --others, a third run has what a user would take instead in OpenVINO
with bf16: torch's exports that make.py left in FOLDER, and the TorchScript one through NNCF's 8-bit compression of
weights, which is what optimum-intel does; that needs nncf and openvino of requirements.txt. openvino.json, forms.json and
others.json hold every sample; openvino.md tells the best runs in ms and the bars that they are held to, openvino.svg
shows them.

Needs matplotlib, onnx, onnxruntime, numpy and safetensors of requirements.txt.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# Of base size.
HIDDEN = 768
# Models by name: folder of the checkpoint, file below FOLDER.
MODELS = {
    "plain BERT": "bert/model.onnx",
    "plain BERT, per-tensor int8": "bert_int8.onnx",
    "nezha-onnx": "ours/model.onnx",
    "nezha-onnx, flat": "flat/model.onnx",
    "nezha-onnx w8": "ours/model_w8.onnx",
    "nezha-onnx w8, flat": "flat/model_w8.onnx",
}
# What make.py and NNCF leave in FOLDER.
OTHERS = {
    "torch, TorchScript": "torchscript.onnx",
    "torch, dynamo": "dynamo.onnx",
    "torch, TorchScript, NNCF 8 bits": "torchscript_nncf.onnx",
}
BF16 = "openvino:cpu@bf16"
ENGINES = ["ort:cpu", "openvino:cpu", BF16]
# What is held to what: name, numerator, denominator (model, engine), and the most by shape.
WITHOUT_AMX = [
    (
        "w8 in OpenVINO with bf16 by the per-tensor int8 BERT in ONNX Runtime",
        ("nezha-onnx w8, flat", BF16),
        ("plain BERT, per-tensor int8", "ort:cpu"),
        {"1x16": 1.15, "1x64": 1.05, "1x128": 1.05, "1x512": 1.15},
    ),
    (
        "fp32 in OpenVINO by the BERT in ONNX Runtime",
        ("nezha-onnx, flat", "openvino:cpu"),
        ("plain BERT", "ort:cpu"),
        {"1x16": 1.05, "1x64": 1.05, "1x128": 1.05},
    ),
]
NOT_SLOWER_THAN_OTHERS = [
    (
        f"bf16 by {other}",
        ("nezha-onnx, flat", BF16),
        (other, BF16),
        {"1x16": 1.0, "1x64": 1.0, "1x128": 1.0, "1x512": 1.0},
    )
    for other in ["torch, TorchScript", "torch, dynamo"]
] + [
    (
        "w8 in bf16 by torch's export with NNCF's 8 bits",
        ("nezha-onnx w8, flat", BF16),
        ("torch, TorchScript, NNCF 8 bits", BF16),
        {"1x16": 1.0, "1x64": 1.0, "1x128": 1.0, "1x512": 1.0},
    )
]
WITH_AMX = [
    (
        "bf16 by the BERT in OpenVINO with bf16",
        ("nezha-onnx, flat", BF16),
        ("plain BERT", BF16),
        {"4x128": 1.10, "1x128": 1.22, "1x512": 1.22},
    ),
    (
        "bf16 by our fp32 in ONNX Runtime",
        ("nezha-onnx, flat", BF16),
        ("nezha-onnx", "ort:cpu"),
        {"1x128": 0.35},
    ),
]


def make(folder, nezha):
    import random_checkpoint
    from onnxruntime.quantization import QuantType, quantize_dynamic

    for name, reach in [("nezha", 64), ("bert", 0)]:
        random_checkpoint.write(folder / "checkpoints" / name, reach)
    for checkpoint, target, more in [
        ("bert", "bert", ["--dtype", "fp32"]),
        ("nezha", "ours", ["--dtype", "fp32,w8"]),
        ("nezha", "flat", ["--dtype", "fp32,w8", "--layout", "openvino"]),
    ]:
        source = str(folder / "checkpoints" / checkpoint)
        subprocess.run([nezha, "export", source, "-o", str(folder / target), "--head", "base", "--force", *more], check=True)
    quantize_dynamic(folder / "bert/model.onnx", folder / "bert_int8.onnx", weight_type=QuantType.QInt8)


def compress(folder):
    """Compresses the weights of torch's export to 8 bits, as optimum-intel has NNCF do."""
    import nncf
    import onnx

    model = onnx.load(folder / "torchscript.onnx")
    compressed = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
    onnx.save(compressed, folder / "torchscript_nncf.onnx")


def bench(nezha, models, engines, arguments, results):
    command = [nezha, "bench", *models, "--engines", ",".join(engines), "--shapes", arguments.shapes]
    command += ["--seconds", arguments.seconds, "--threads", arguments.threads, "--runs", "1000", "--rounds", "10"]
    if any(engine.startswith("openvino") for engine in engines):
        # It divides the rows of every weight of this size; OpenVINO's own choice is smaller and slower.
        command += ["--openvino-group-size", str(HIDDEN)]
    # What doesn't run is a row with its reason.
    subprocess.run([*command, "--json", str(results)], check=False)
    return json.loads(results.read_text())


def best(document, names):
    """The shortest run in ms by model, engine and shape."""
    times = {}
    for cell in document["cells"]:
        shape = f"{cell['batch']}x{cell['sequence']}"
        if cell["measured"]:
            times[names[cell["model"]], cell["engine"], shape] = cell["measured"]["summary"]["min_ms"]
    return times


def table(times, rows, shapes, anchor):
    lines = ["| | " + " | ".join(shapes) + " |", "|---" + "|---:" * len(shapes) + "|"]
    for model, engine in rows:
        cells = []
        for shape in shapes:
            time, floor = times.get((model, engine, shape)), times.get((*anchor, shape))
            cells.append("–" if time is None else f"{time:,.1f}" + (f" ({time / floor:.2f})" if floor else ""))
        lines.append(f"| {model}, {engine} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def bars(times, held):
    lines = ["| | shape | ratio | at most | holds |", "|---|---|---:|---:|---|"]
    for name, numerator, denominator, most in held:
        for shape, limit in most.items():
            pair = times.get((*numerator, shape)), times.get((*denominator, shape))
            if None not in pair:
                ratio = pair[0] / pair[1]
                lines.append(f"| {name} | {shape} | {ratio:.2f} | {limit} | {'yes' if ratio <= limit else 'no'} |")
    return "\n".join(lines)


# What the chart shows: model and engine.
CHART = [
    ("plain BERT, per-tensor int8", "ort:cpu"),
    ("nezha-onnx", "ort:cpu"),
    ("nezha-onnx, flat", "openvino:cpu"),
    ("nezha-onnx, flat", BF16),
    ("nezha-onnx w8, flat", BF16),
]
RUNTIMES = {"ort:cpu": "ONNX Runtime", "openvino:cpu": "OpenVINO f32", BF16: "OpenVINO bf16"}


def draw(times, shapes, anchor, path):
    """The chart of the best runs, by those of `anchor`."""
    import chart

    def ratio(contender, shape):
        pair = times.get((*contender, shape)), times.get((*anchor, shape))
        return None if None in pair else pair[0] / pair[1]

    bars = [
        (f"{model.removesuffix(', flat')}, {RUNTIMES[engine]}", [ratio((model, engine), it) for it in shapes])
        for model, engine in CHART
    ]
    title = "time by that of a plain BERT in ONNX Runtime with fp32, lower is better"
    chart.draw(path, [it.replace("x", "×") for it in shapes], [(title, "plain BERT, ONNX Runtime", bars)])


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--nezha", default="target/release/nezha")
    arguments.add_argument("--shapes", default="1x16,1x64,1x128,4x128,1x512")
    arguments.add_argument("--seconds", default="2")
    arguments.add_argument("--threads", default="2")
    arguments.add_argument("--made", action="store_true", help="measure what an earlier call made")
    arguments.add_argument("--others", action="store_true", help="torch's exports too, which make.py wrote into FOLDER")
    arguments = arguments.parse_args()
    folder = arguments.folder
    if not arguments.made:
        make(folder, arguments.nezha)
        if arguments.others:
            compress(folder)
    paths = {name: str(folder / file) for name, file in {**MODELS, **OTHERS}.items()}
    names = {path: name for name, path in paths.items()}
    shapes = arguments.shapes.split(",")
    others = ""

    document = bench(arguments.nezha, [paths[it] for it in MODELS], ENGINES, arguments, folder / "openvino.json")
    times = best(document, names)
    rows = [(name, engine) for engine in ENGINES for name in MODELS]
    amx = "amx_tile" in Path("/proc/cpuinfo").read_text()
    forms = [paths["nezha-onnx"], paths["nezha-onnx, flat"]]
    of_forms = best(bench(arguments.nezha, forms, ["ort:cpu", "tract"], arguments, folder / "forms.json"), names)
    form_rows = [(name, engine) for engine in ["ort:cpu", "tract"] for name in ["nezha-onnx", "nezha-onnx, flat"]]
    if arguments.others:
        ours = ["nezha-onnx, flat", "nezha-onnx w8, flat"]
        rows_of_others = [(name, BF16) for name in [*ours, *OTHERS]]
        models = [paths[name] for name, _ in rows_of_others]
        of_others = best(bench(arguments.nezha, models, [BF16], arguments, folder / "others.json"), names)
        others = f"""
What a user would take instead, in OpenVINO with bf16, in a run of its own; by torch's TorchScript export:

{table(of_others, rows_of_others, shapes, ("torch, TorchScript", BF16))}

{bars(of_others, NOT_SLOWER_THAN_OTHERS)}
"""
    machine = document["machine"]
    text = f"""Processor: {machine['cpu']}, {'with' if amx else 'without'} AMX; {arguments.threads} threads, load \
{machine['load_average']:.1f} when it began. Best run in ms, and by the plain BERT in ONNX Runtime.

{table(times, rows, shapes, ("plain BERT", "ort:cpu"))}

{bars(times, WITH_AMX if amx else WITHOUT_AMX)}

Both forms of the graph in a run of their own:

{table(of_forms, form_rows, shapes, ("nezha-onnx", "ort:cpu"))}
{others}"""
    (folder / "openvino.md").write_text(text)
    draw(times, shapes, ("plain BERT", "ort:cpu"), folder / "openvino.svg")
    print(text)


if __name__ == "__main__":
    sys.exit(main())
