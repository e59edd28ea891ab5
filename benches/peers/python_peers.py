"""Measures what runs in Python: transformers' eager model, our artifact in OpenVINO, a plain BERT as their anchor.

    python benches/peers/python_peers.py FOLDER --json FILE [--shapes 1x16,8x128] [--seconds 3] [--threads 2]

FOLDER is make.py's, with our artifact in ours/. It is done as `nezha bench` does it: each stack is a process of its
own, and for every shape they take turns, each turn after a run that does not count. Load times leave out imports; peak
memory is the whole process's, Python included. FILE has nezha-bench/1's fields (cli/bench/record.rs), as far as
report.py reads them. A stack that fails is there with the reason, and the exit code is 1.
"""

import argparse
import json
import statistics
import sys
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy

ROUNDS = 5
# The last runs of a warm-up have to take about as long as those before them.
STABLE_RUNS, STABLE_WITHIN = 5, 0.05
# As in `nezha bench`: the first runs of a turn take longer than those after.
TURN_WARM_UP_MS = 100
PACKAGES = ["torch", "transformers", "onnx", "onnxscript", "onnxruntime", "openvino", "numpy"]


def eager(path, threads):
    import torch
    from transformers import NezhaModel

    torch.set_num_threads(threads)

    def load():
        model = NezhaModel.from_pretrained(path).eval()

        @torch.inference_mode()
        def run(inputs):
            return model(**{name: torch.from_numpy(array) for name, array in inputs.items()})

        return run

    return load


def openvino(path, threads):
    from openvino import Core

    # Without the hint it computes in bfloat16 where the processor can.
    options = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    return lambda: Core().compile_model(path, "CPU", options)


def onnxruntime(path, threads):
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = threads

    def load():
        session = InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda inputs: session.run(None, inputs)

    return load


# The anchor comes first.
STACKS = [(onnxruntime, "bert.onnx"), (eager, "checkpoint"), (openvino, "ours/model.onnx")]


class Worker:
    """One loaded model, in a process of its own."""

    def __init__(self, stack, path, threads):
        load = stack(str(path), threads)
        start = perf_counter()
        self.run = load()
        self.load_ms = since(start)
        self.inputs = None

    def warm_up(self, batch, sequence, seconds):
        """How many runs it took, and whether their time has settled."""
        forget_peak()
        ids = numpy.random.default_rng(0).integers(1000, 20000, (batch, sequence))
        self.inputs = {
            "input_ids": ids,
            "attention_mask": numpy.ones_like(ids),
            "token_type_ids": numpy.zeros_like(ids),
        }
        start, times = perf_counter(), []
        while since(start) <= 1e3 * seconds:
            times.append(self.once())
            if is_stable(times):
                return len(times), True
        return len(times), False

    def measure(self, seconds):
        start = perf_counter()
        self.once()
        while since(start) < TURN_WARM_UP_MS:
            self.once()
        start, times = perf_counter(), []
        while not times or since(start) < 1e3 * seconds:
            times.append(self.once())
        return times

    def once(self):
        start = perf_counter()
        self.run(self.inputs)
        return since(start)

    def peak(self):
        """Peak resident memory in bytes since the shape began, where Linux says it."""
        try:
            status = Path("/proc/self/status").read_text()
        except OSError:
            return None
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def since(start):
    return 1e3 * (perf_counter() - start)


def is_stable(times):
    before, last = times[-2 * STABLE_RUNS : -STABLE_RUNS], times[-STABLE_RUNS:]
    return len(before) == STABLE_RUNS and abs(statistics.median(last) / statistics.median(before) - 1) <= STABLE_WITHIN


def forget_peak():
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass  # The peak is that of the whole process then, which is nowhere smaller.


def serve(pipe, stack, path, threads):
    """Answers what Contender.ask() asks: a result and None, or None and why there is none."""
    try:
        worker = Worker(stack, path, threads)
    except Exception as error:  # whatever a stack throws
        pipe.send((None, f"{type(error).__name__}: {error}"))
        return
    pipe.send((worker.load_ms, None))
    while True:
        try:
            method, *arguments = pipe.recv()
        except EOFError:  # nobody asks any more
            return
        try:
            pipe.send((getattr(worker, method)(*arguments), None))
        except Exception as error:  # whatever a stack throws
            pipe.send((None, f"{type(error).__name__}: {error}"))


class Failed(Exception):
    """A stack can't answer."""


class Contender:
    """A stack's process, from the side of the one that asks."""

    def __init__(self, stack, path, threads):
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.key = {"model": str(path), "engine": stack.__name__, "threads": threads}
        self.process = context.Process(target=serve, args=(theirs, stack, path, threads), daemon=True)
        self.process.start()
        theirs.close()
        self.load_ms = self.error = None
        try:
            self.load_ms = self.answer()
        except Failed as error:
            self.error = str(error)

    def ask(self, *request):
        if self.error:
            raise Failed(self.error)
        try:
            self.pipe.send(request)
        except OSError:
            pass  # A process that is gone says so when it is asked for the answer.
        return self.answer()

    def answer(self):
        try:
            result, error = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            self.error = error = f"the process ended with exit code {self.process.exitcode}"
        if error:
            raise Failed(error)
        return result

    def record(self):
        path = Path(self.key["model"])
        files = path.iterdir() if path.is_dir() else [path]
        size = sum(it.stat().st_size for it in files) if path.exists() else 0
        return {**self.key, "model_bytes": size, "load_ms": self.load_ms, "error": self.error}


def measure_shape(contenders, batch, sequence, seconds):
    """A cell for each contender, in their order."""
    cells = [{**it.key, "batch": batch, "sequence": sequence, "measured": None, "error": None} for it in contenders]

    def attempt(number, *request):
        if cells[number]["error"]:
            return None
        try:
            return contenders[number].ask(*request)
        except Failed as error:
            cells[number].update(measured=None, error=str(error))
            return None

    for number, cell in enumerate(cells):
        if warm_up := attempt(number, "warm_up", batch, sequence, seconds):
            runs, stable = warm_up
            cell["measured"] = {"samples_ms": [], "warm_up_runs": runs, "stable": stable}
    for _ in range(ROUNDS):
        for number, cell in enumerate(cells):
            if samples := attempt(number, "measure", seconds / ROUNDS):
                cell["measured"]["samples_ms"].append(samples)
    for number, cell in enumerate(cells):
        peak = attempt(number, "peak")
        if cell["measured"]:
            cell["measured"]["peak_resident_bytes"] = peak
    return cells


def versions():
    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            pass  # Its stack says so.
    return found


def shape(text):
    batch, _, sequence = text.partition("x")
    return int(batch), int(sequence)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--json", type=Path, required=True)
    arguments.add_argument("--shapes", default="1x16,1x128", help="batch x tokens")
    arguments.add_argument("--seconds", type=float, default=3, help="time for each shape in each stack")
    arguments.add_argument("--threads", type=int, default=2)
    arguments = arguments.parse_args()
    shapes = [shape(it) for it in arguments.shapes.split(",")]

    contenders = [Contender(stack, arguments.folder / path, arguments.threads) for stack, path in STACKS]
    cells = []
    for batch, sequence in shapes:
        print(f"in Python: {batch}x{sequence}", flush=True)
        cells += measure_shape(contenders, batch, sequence, arguments.seconds)
    result = {
        "versions": versions(),
        "contenders": [it.record() for it in contenders],
        "cells": cells,
    }
    arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    failed = {f"{it['engine']}: {it['error']}" for it in cells if it["error"]}
    sys.exit("without numbers:\n  " + "\n  ".join(sorted(failed)) if failed else 0)


if __name__ == "__main__":
    main()
