"""Tells what `cargo xtask peers` measured, as peers.md, peers.csv and peers.svg in its folder.

    python benches/peers/report.py FOLDER

FOLDER holds onnx.json and tract.json of `nezha bench`, python.json of python_peers.py and not_made.json of make.py.
Ratios are to the plain BERT of the same dtype that took turns with a stack. tract took turns with our artifact in ONNX
Runtime instead; its ratio to that one is multiplied by that one's own.
"""

import argparse
import csv
import json
import statistics
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import chart

MIB = 1 << 20
# Characters of a reason that are shown; an exporter's can be pages long.
REASON = 400


@dataclass(frozen=True)
class Stack:
    name: str
    runtime: str
    dtype: str
    results: str
    """The file of results that it is in."""
    model: str
    engine: str
    anchor: "Stack | None" = None
    """What it took turns with and is divided by; none for a plain BERT."""


BERT = Stack("plain BERT", "ONNX Runtime", "fp32", "onnx.json", "bert.onnx", "ort:cpu")
OURS = Stack("nezha-onnx", "ONNX Runtime", "fp32", "onnx.json", "ours/model.onnx", "ort:cpu", BERT)
OURS_BESIDE_TRACT = Stack("nezha-onnx", "ONNX Runtime", "fp32", "tract.json", "ours/model.onnx", "ort:cpu", OURS)
BERT_IN_PYTHON = Stack("plain BERT", "onnxruntime (Python)", "fp32", "python.json", "bert.onnx", "onnxruntime")
BERT_INT8 = Stack("plain BERT, quantize_dynamic", "ONNX Runtime", "int8", "onnx.json", "bert_int8.onnx", "ort:cpu")
STACKS = [
    BERT,
    OURS,
    Stack("torch.onnx TorchScript", "ONNX Runtime", "fp32", "onnx.json", "torchscript.onnx", "ort:cpu", BERT),
    Stack("torch.onnx dynamo", "ONNX Runtime", "fp32", "onnx.json", "dynamo.onnx", "ort:cpu", BERT),
    Stack("nezha-onnx", "tract", "fp32", "tract.json", "ours/model.onnx", "tract", OURS_BESIDE_TRACT),
    BERT_IN_PYTHON,
    Stack("nezha-onnx", "OpenVINO", "fp32", "python.json", "ours/model.onnx", "openvino", BERT_IN_PYTHON),
    Stack("transformers eager", "torch", "fp32", "python.json", "checkpoint", "eager", BERT_IN_PYTHON),
    BERT_INT8,
    Stack("nezha-onnx int8", "ONNX Runtime", "int8", "onnx.json", "ours/model_int8.onnx", "ort:cpu", BERT_INT8),
]
DTYPES = ["fp32", "int8"]


class Ratio(NamedTuple):
    """How many times as long as a plain BERT."""

    best: float
    """Of the best runs."""
    mean: float
    """The geometric mean of the rounds' ratios of medians, as `nezha bench` has it."""
    lowest: float
    """Of a round."""
    highest: float


class Results:
    """What was measured, by stack and shape."""

    def __init__(self, folder):
        self.folder = folder
        names = ["onnx.json", "tract.json", "python.json"]
        self.files = {name: json.loads((folder / name).read_text()) for name in names if (folder / name).exists()}
        not_made = folder / "not_made.json"
        self.not_made = json.loads(not_made.read_text()) if not_made.exists() else {}
        cells = [cell for file in self.files.values() for cell in file["cells"]]
        self.shapes = list(dict.fromkeys((it["batch"], it["sequence"]) for it in cells))

    def _find(self, part, stack):
        model = self.folder / stack.model
        records = self.files.get(stack.results, {}).get(part, [])
        return [it for it in records if it["engine"] == stack.engine and Path(it["model"]) == model]

    def _cell(self, stack, shape):
        cells = self._find("cells", stack)
        return next((it for it in cells if (it["batch"], it["sequence"]) == shape), None)

    def contender(self, stack):
        return next(iter(self._find("contenders", stack)), {})

    def measured(self, stack, shape):
        """A cell's numbers, or None."""
        cell = self._cell(stack, shape)
        return cell and cell["measured"]

    def error(self, stack, shape):
        """Why a cell has no numbers, or None where it has."""
        if cell := self._cell(stack, shape):
            error = cell["error"]
        else:
            missing = "not measured" if stack.results in self.files else f"{stack.results} was not written"
            error = self.not_made.get(stack.model, missing)
        return error and textwrap.shorten(error, REASON)

    def ratio(self, stack, shape):
        """None where one of both has no numbers."""
        if stack == OURS_BESIDE_TRACT:
            return self.ratio(OURS, shape)
        these = self.measured(stack, shape)
        if stack.anchor is None:
            return these and Ratio(1, 1, 1, 1)
        those, base = self.measured(stack.anchor, shape), self.ratio(stack.anchor, shape)
        if not (these and those and base):
            return None
        rounds = [
            base.mean * statistics.median(this) / statistics.median(that)
            for this, that in zip(these["samples_ms"], those["samples_ms"])
        ]
        best = base.best * min(samples(these)) / min(samples(those))
        return Ratio(best, statistics.geometric_mean(rounds), min(rounds), max(rounds))


def samples(measured):
    return [sample for samples in measured["samples_ms"] for sample in samples]


def label(shape):
    return f"{shape[0]}×{shape[1]}"


def table(header, rows, text_columns):
    alignments = ["---"] * text_columns + ["---:"] * (len(header) - text_columns)
    return "".join(f"| {' | '.join(row)} |\n" for row in [header, alignments, *rows])


def number(value):
    return "—" if value is None else f"{value:,.0f}"


def mebibytes(count):
    return number(count and count / MIB)


def latency(measured):
    if measured is None:
        return "failed"
    times = samples(measured)
    return f"{min(times):,.1f} / {statistics.median(times):,.1f}"


def ratio(value):
    return f"{value.best:.2f} / {value.mean:.2f} [{value.lowest:.2f}, {value.highest:.2f}]" if value else "—"


def markdown(results):
    bench = results.files.get("onnx.json") or results.files.get("tract.json")
    if not bench:
        sys.exit(f"{results.folder}: neither onnx.json nor tract.json: no `nezha bench` has run")
    parts = ["# nezha-onnx beside other stacks\n", conditions(results, bench)]
    header = ["", "runtime", *map(label, results.shapes)]
    for dtype in DTYPES:
        stacks = [it for it in STACKS if it.dtype == dtype]
        latencies, ratios = [
            [[stack.name, stack.runtime, *(text(of(stack, it)) for it in results.shapes)] for stack in stacks]
            for text, of in [(latency, results.measured), (ratio, results.ratio)]
        ]
        parts += [
            f"## {dtype}\n",
            "Latency in ms, best / median, by batch × tokens:\n",
            table(header, latencies, 2),
            "By that of the plain BERT, best runs / rounds [lowest round, highest round]:\n",
            table(header, ratios, 2),
        ]
    parts += [
        "## Size, load, memory\n",
        "Artifact and peak memory in MiB, the peak that of the whole process while it ran a shape:\n",
        table(
            ["", "runtime", "dtype", "artifact", "load, ms", *(f"peak at {label(it)}" for it in results.shapes)],
            [resources(results, it) for it in STACKS],
            3,
        ),
        "## How to read it\n",
        NOTES,
    ]
    if reasons := failures(results):
        parts += ["## What failed\n", reasons]
    return "\n".join(parts)


NOTES = """\
- Every NEZHA has the same random weights. A plain BERT of the same size has no relative positions: it is the floor.
- Each stack is a process of its own, and those that are compared take turns with each shape. The ratio of rounds, which
  the chart shows, is the geometric mean of each round's median by the plain BERT's of that round.
- OpenVINO and torch took turns with the plain BERT in Python's onnxruntime; their ratios are to that row.
- tract took turns with our artifact in ONNX Runtime: its ratio is to that one, times that one's to the plain BERT.
- Load times leave out the start of the process and Python's imports; memory has both in it.
- OpenVINO computes in fp32 because it is told to; by itself it takes bfloat16 where the processor has it.
"""


def conditions(results, bench):
    machine, method = bench["machine"], bench["method"]
    engines = [results.contender(it).get("description") for it in STACKS]
    versions = results.files.get("python.json", {}).get("versions", {})
    layers = json.loads((results.folder / "checkpoint" / "config.json").read_text())["num_hidden_layers"]
    lines = [
        f"{bench['started'][:10]}, `cargo xtask peers` of nezha {bench['nezha']}: base size, {layers} layers",
        f"{machine['cpu']}, {machine['logical_cores']} logical cores, {machine['memory_bytes'] / 2**30:.0f} GiB, "
        f"{machine['system']}; load average {machine['load_average']:.1f} when it began",
        f"{bench['contenders'][0]['threads']} threads in every stack; {method['rounds']} rounds, together "
        f"{method['seconds']:g} s of each shape in each stack, and a run each round at least",
        f"`nezha bench`: {', '.join(dict.fromkeys(it for it in engines if it))}",
        f"Python: {', '.join(f'{name} {version}' for name, version in versions.items())}",
    ]
    return "".join(f"- {line}\n" for line in lines)


def resources(results, stack):
    contender = results.contender(stack)
    measured = [results.measured(stack, it) for it in results.shapes]
    return [
        stack.name,
        stack.runtime,
        stack.dtype,
        mebibytes(contender.get("model_bytes")),
        number(contender.get("load_ms")),
        *(mebibytes(it and it["peak_resident_bytes"]) for it in measured),
    ]


def failures(results):
    """A line for each stack and reason, with the shapes."""
    failed = {}
    for stack in STACKS:
        for shape in results.shapes:
            if reason := results.error(stack, shape):
                failed.setdefault((stack, reason), []).append(label(shape))
    return "".join(f"- {it.name}, {it.runtime}, {', '.join(on)}: {why}\n" for (it, why), on in failed.items())


def write_csv(results, path):
    columns = ["stack", "runtime", "dtype", "batch", "sequence", "threads", "runs", "best_ms", "median_ms"]
    columns += ["ratio_of_best", "ratio", "ratio_lowest_round", "ratio_highest_round", "settled"]
    columns += ["peak_resident_bytes", "load_ms", "artifact_bytes", "error"]
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, columns)
        out.writeheader()
        for stack in STACKS:
            contender = results.contender(stack)
            for shape in results.shapes:
                row = {
                    "stack": stack.name,
                    "runtime": stack.runtime,
                    "dtype": stack.dtype,
                    "batch": shape[0],
                    "sequence": shape[1],
                    "threads": contender.get("threads"),
                    "load_ms": contender.get("load_ms"),
                    "artifact_bytes": contender.get("model_bytes"),
                    "error": results.error(stack, shape),
                }
                if measured := results.measured(stack, shape):
                    times = samples(measured)
                    row |= {
                        "runs": len(times),
                        "best_ms": min(times),
                        "median_ms": statistics.median(times),
                        "settled": measured["stable"],
                        "peak_resident_bytes": measured["peak_resident_bytes"],
                    }
                if ratio := results.ratio(stack, shape):
                    row |= {
                        "ratio_of_best": ratio.best,
                        "ratio": ratio.mean,
                        "ratio_lowest_round": ratio.lowest,
                        "ratio_highest_round": ratio.highest,
                    }
                out.writerow(row)


def draw(results, path):
    panels = []
    for dtype in DTYPES:
        stacks = [it for it in STACKS if it.dtype == dtype and it.anchor]
        ratios = [[results.ratio(stack, shape) for shape in results.shapes] for stack in stacks]
        bars = [(f"{it.name}, {it.runtime}", [one and one.mean for one in of]) for it, of in zip(stacks, ratios)]
        title = f"{dtype}: time by that of a plain BERT in {dtype}, lower is better"
        panels.append((title, f"plain BERT in {dtype}", bars))
    chart.draw(path, [label(it) for it in results.shapes], panels)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    folder = arguments.parse_args().folder
    results = Results(folder)
    text = markdown(results)
    (folder / "peers.md").write_text(text, encoding="utf-8")
    write_csv(results, folder / "peers.csv")
    draw(results, folder / "peers.svg")
    print(text)


if __name__ == "__main__":
    main()
