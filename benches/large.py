"""How long `nezha export` takes for a checkpoint of the large model's shape, and how much memory.

    cargo build --release && python benches/large.py [--folder DIR] [--repeat 3]

The checkpoint is made here, with random weights: 24 layers of hidden size 1024 and, as early
releases of transformers saved them, a table of relative positions with every layer, 1.6 GB of 2.9.
It is written as safetensors, as pytorch_model.bin, and as a pytorch_model.bin whose kernels are
transposed views, as those are that were converted from TensorFlow. An export is compared with `cp`
and a sync of as many bytes as it writes; both read from the page cache. The best of several turns
counts, and turns alternate, so that a busy disk hits both.

Needs 12 GB of disk and Python alone. Prints a table in Markdown.
"""

import argparse
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
import tempfile
import time
import types
import zipfile
from math import prod
from pathlib import Path

LAYERS, HIDDEN, HEADS, INTERMEDIATE, VOCABULARY, POSITIONS = 24, 1024, 16, 4096, 21128, 512
CONFIG = {
    "model_type": "nezha",
    "architectures": ["NezhaForMaskedLM"],
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": INTERMEDIATE,
    "max_relative_position": 64,
    "max_position_embeddings": POSITIONS,
}
BLOCK = random.Random(0).randbytes(8 << 20)


def dense(name, inputs, outputs):
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def layer_norm(name):
    yield f"{name}.weight", (HIDDEN,)
    yield f"{name}.bias", (HIDDEN,)


def layer(name):
    attention = f"{name}.attention.self"
    for part in ("query", "key", "value"):
        yield from dense(f"{attention}.{part}", HIDDEN, HIDDEN)
    table = (POSITIONS, POSITIONS, HIDDEN // HEADS)
    yield f"{attention}.relative_positions_encoding.positions_encoding", table
    yield from dense(f"{name}.attention.output.dense", HIDDEN, HIDDEN)
    yield from layer_norm(f"{name}.attention.output.LayerNorm")
    yield from dense(f"{name}.intermediate.dense", HIDDEN, INTERMEDIATE)
    yield from dense(f"{name}.output.dense", INTERMEDIATE, HIDDEN)
    yield from layer_norm(f"{name}.output.LayerNorm")


def tensors():
    """Names and shapes of all float32 tensors."""
    yield "nezha.embeddings.word_embeddings.weight", (VOCABULARY, HIDDEN)
    yield "nezha.embeddings.token_type_embeddings.weight", (2, HIDDEN)
    yield from layer_norm("nezha.embeddings.LayerNorm")
    for number in range(LAYERS):
        yield from layer(f"nezha.encoder.layer.{number}")
    yield "cls.predictions.bias", (VOCABULARY,)
    yield from dense("cls.predictions.transform.dense", HIDDEN, HIDDEN)
    yield from layer_norm("cls.predictions.transform.LayerNorm")


def write_elements(out, shape):
    left = 4 * prod(shape)
    while left > 0:
        left -= out.write(BLOCK[: min(left, len(BLOCK))])


def write_safetensors(folder):
    header, end = {}, 0
    for name, shape in tensors():
        start, end = end, end + 4 * prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with open(folder / "model.safetensors", "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for _, shape in tensors():
            write_elements(out, shape)


def is_kernel(name, shape):
    return len(shape) == 2 and "embeddings" not in name


class Tensor:
    """Pickles as torch's own tensors do."""

    def __init__(self, key, shape, transposed):
        self.storage = FloatStorage(key, prod(shape))
        strides = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
        self.strides = (1, shape[0]) if transposed else tuple(strides)
        self.shape = shape

    def __reduce__(self):
        arguments = (self.storage, 0, self.shape, self.strides, False, {})
        return _rebuild_tensor_v2, arguments


class FloatStorage:
    def __init__(self, key, elements):
        self.identity = ("storage", FloatStorage, key, "cpu", elements)


def _rebuild_tensor_v2():
    """Stands for torch's function of this name, which is pickled by its name."""


class Pickler(pickle.Pickler):
    def persistent_id(self, it):
        return it.identity if isinstance(it, FloatStorage) else None


def pose_as_torch():
    """Puts the names above where a pickle is to find torch's."""
    for module, members in ("torch", [FloatStorage]), ("torch._utils", [_rebuild_tensor_v2]):
        sys.modules[module] = types.ModuleType(module)
        for member in members:
            member.__module__ = module
            setattr(sys.modules[module], member.__name__, member)


def write_torch(folder, transposed):
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as out:
        state = {
            name: Tensor(str(key), shape, transposed and is_kernel(name, shape))
            for key, (name, shape) in enumerate(tensors())
        }
        with out.open("archive/data.pkl", "w") as entry:
            Pickler(entry, protocol=2).dump(state)
        for key, (_, shape) in enumerate(tensors()):
            with out.open(f"archive/data/{key}", "w") as entry:
                write_elements(entry, shape)
        out.writestr("archive/version", "3\n")


def peak_anonymous(process):
    """Waits for a process; its largest anonymous resident memory in bytes."""
    peak = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        for line in status.splitlines():
            if line.startswith("RssAnon:"):
                peak = max(peak, int(line.split()[1]) * 1024)
        time.sleep(0.005)
    if process.wait() != 0:
        sys.exit(f"{process.args} failed")
    return peak


def export(nezha, checkpoint, target):
    """Seconds and peak memory of an export."""
    shutil.rmtree(target, ignore_errors=True)
    start = time.perf_counter()
    command = [nezha, "export", checkpoint, "-o", target]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = peak_anonymous(process)
    return time.perf_counter() - start, peak


def copy(source, target):
    """Seconds of `cp` and a sync."""
    target.unlink(missing_ok=True)
    start = time.perf_counter()
    subprocess.run(["cp", source, target], check=True)
    subprocess.run(["sync", target], check=True)
    return time.perf_counter() - start


def measure(nezha, checkpoint, folder, repeat):
    target = folder / "exported"
    peak, exports, copies = 0, [], []
    for _ in range(repeat):
        seconds, turn = export(nezha, checkpoint, target)
        exports.append(seconds)
        peak = max(peak, turn)
        copies.append(copy(target / "model.onnx", folder / "copy"))
    size = (target / "model.onnx").stat().st_size
    shutil.rmtree(target)
    return size, peak, min(exports), min(copies)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--nezha", type=Path, default=Path("target/release/nezha"))
    arguments.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    arguments.add_argument("--repeat", type=int, default=3)
    arguments = arguments.parse_args()
    pose_as_torch()
    forms = {
        "safetensors": write_safetensors,
        ".bin": lambda folder: write_torch(folder, transposed=False),
        ".bin, transposed": lambda folder: write_torch(folder, transposed=True),
    }
    print("| checkpoint | size | written | export | cp and sync | ratio | peak RssAnon |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for form, write in forms.items():
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            folder = Path(folder)
            checkpoint = folder / "checkpoint"
            checkpoint.mkdir()
            (checkpoint / "config.json").write_text(json.dumps(CONFIG))
            write(checkpoint)
            os.sync()
            size = sum(file.stat().st_size for file in checkpoint.iterdir())
            written, peak, exported, copied = measure(
                arguments.nezha.resolve(), checkpoint, folder, arguments.repeat
            )
            print(
                f"| {form} | {size / 1e9:.2f} GB | {written / 1e9:.2f} GB | {exported:.2f} s "
                f"| {copied:.2f} s | {exported / copied:.2f} | {peak / 1e6:.0f} MB |",
                flush=True,
            )


if __name__ == "__main__":
    main()
