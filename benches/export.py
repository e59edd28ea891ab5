"""How long `nezha export` takes and how much memory, for checkpoints of the base and the large size.

    cargo build --release && python benches/export.py --size base [--folder DIR] [--repeat 3]
    pip install crc32c && python benches/export.py --size training

The checkpoints are made here, with random weights and, as early releases of transformers saved them,
a table of relative positions with every layer, more than half of the file. An export is compared
with `cp` and a sync of the files that it writes; both read from the page cache. The best of several
turns counts, and turns alternate, so that a busy disk hits both.

Of the base size, safetensors are exported in every way to write weights. Of the large size, the
default way is taken from safetensors, from pytorch_model.bin, and from a pytorch_model.bin whose
kernels are transposed views, as those are that were converted from TensorFlow. The size `training` is
a TensorFlow checkpoint of 2.9 GB with the state of Adam, 8.7 GB with the holes that stand for that
state.

Needs 3 GB of disk (base), 12 GB (large) or 9 GB (training), and Python alone but for the checksums of
TensorFlow's tensors. Prints a table in Markdown, and which aims
are met.
"""

import argparse
import json
import math
import os
import pickle
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import types
import zipfile
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from math import prod
from pathlib import Path

VOCABULARY, POSITIONS, DISTANCE = 21128, 512, 64
TABLE = "relative_positions_encoding.positions_encoding"


@dataclass(frozen=True)
class Model:
    layers: int
    hidden: int

    @property
    def heads(self):
        return self.hidden // 64

    @property
    def intermediate(self):
        return 4 * self.hidden

    def config(self):
        return {
            "model_type": "nezha",
            "architectures": ["NezhaForMaskedLM"],
            "vocab_size": VOCABULARY,
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.intermediate,
            "max_relative_position": DISTANCE,
            "max_position_embeddings": POSITIONS,
        }


@dataclass(frozen=True)
class Export:
    """One row of the table: a checkpoint's format, how it is exported, and the most of each measure."""

    form: str
    options: str
    aims: dict


@dataclass(frozen=True)
class Measured:
    written: int
    seconds: float
    copy_seconds: float
    megabytes: float

    @property
    def ratio(self):
        return self.seconds / self.copy_seconds


MODELS = {"base": Model(12, 768), "large": Model(24, 1024), "training": Model(36, 1280)}
EXPORTS = {
    "base": [
        Export("safetensors", "--weights embedded", {"ratio": 1.5, "megabytes": 64}),
        Export("safetensors", "--weights external", {"ratio": 1.5, "megabytes": 64}),
        Export("safetensors", "--weights linked", {"seconds": 0.1, "megabytes": 64}),
        Export("safetensors", "--dtype fp16", {}),
        Export("safetensors", "--dtype int8", {"seconds": 2}),
        Export("safetensors", "--dtype q8", {}),
        Export("safetensors", "--dtype q4", {}),
        Export("safetensors", "--dtype fp32 --storage fp16", {}),
    ],
    "large": [
        Export("safetensors", "", {"ratio": 2.5, "megabytes": 200}),
        Export(".bin", "", {"ratio": 5, "megabytes": 200}),
        Export(".bin, transposed", "", {"ratio": 5, "megabytes": 200}),
    ],
    "training": [Export("TensorFlow with Adam", "", {"ratio": 3, "megabytes": 200})],
}
# As small as trained weights are, so that every precision has them.
NUMBERS = random.Random(0)
BLOCK = struct.pack(f"<{1 << 20}f", *(NUMBERS.gauss(0, 0.02) for _ in range(1 << 20)))


def dense(name, inputs, outputs):
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def layer_norm(name, hidden):
    yield f"{name}.weight", (hidden,)
    yield f"{name}.bias", (hidden,)


def layer(name, model):
    hidden, intermediate = model.hidden, model.intermediate
    attention = f"{name}.attention.self"
    for part in ("query", "key", "value"):
        yield from dense(f"{attention}.{part}", hidden, hidden)
    yield f"{attention}.{TABLE}", (POSITIONS, POSITIONS, hidden // model.heads)
    yield from dense(f"{name}.attention.output.dense", hidden, hidden)
    yield from layer_norm(f"{name}.attention.output.LayerNorm", hidden)
    yield from dense(f"{name}.intermediate.dense", hidden, intermediate)
    yield from dense(f"{name}.output.dense", intermediate, hidden)
    yield from layer_norm(f"{name}.output.LayerNorm", hidden)


def tensors(model):
    """Names and shapes of all float32 tensors."""
    hidden = model.hidden
    yield "nezha.embeddings.word_embeddings.weight", (VOCABULARY, hidden)
    yield "nezha.embeddings.token_type_embeddings.weight", (2, hidden)
    yield from layer_norm("nezha.embeddings.LayerNorm", hidden)
    for number in range(model.layers):
        yield from layer(f"nezha.encoder.layer.{number}", model)
    yield "cls.predictions.bias", (VOCABULARY,)
    yield from dense("cls.predictions.transform.dense", hidden, hidden)
    yield from layer_norm("cls.predictions.transform.LayerNorm", hidden)


@cache
def relative_table(size):
    """The sinusoid of NEZHA's relative positions, for every pair of positions; another is refused."""
    frequencies = [10000 ** (-2 * (column // 2) / size) for column in range(size)]
    waves = [math.sin, math.cos]
    rows = [
        struct.pack(f"<{size}f", *(waves[column % 2](row * it) for column, it in enumerate(frequencies)))
        for row in range(2 * DISTANCE + 1)
    ]
    distances = range(-POSITIONS + 1, POSITIONS)
    every = [rows[min(max(it, -DISTANCE), DISTANCE) + DISTANCE] for it in distances]
    return b"".join(b"".join(every[POSITIONS - 1 - i : 2 * POSITIONS - 1 - i]) for i in range(POSITIONS))


def blocks(name, shape):
    """The bytes of a tensor, in pieces."""
    if name.endswith(TABLE):
        yield relative_table(shape[-1])
        return
    left = 4 * prod(shape)
    while left > 0:
        yield BLOCK[: min(left, len(BLOCK))]
        left -= len(BLOCK)


def write_elements(out, name, shape):
    for block in blocks(name, shape):
        out.write(block)


def write_safetensors(folder, model):
    header, end = {}, 0
    for name, shape in tensors(model):
        start, end = end, end + 4 * prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with open(folder / "model.safetensors", "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for name, shape in tensors(model):
            write_elements(out, name, shape)


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


def write_torch(folder, model, transposed):
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as out:
        state = {
            name: Tensor(str(key), shape, transposed and is_kernel(name, shape))
            for key, (name, shape) in enumerate(tensors(model))
        }
        with out.open("archive/data.pkl", "w") as entry:
            Pickler(entry, protocol=2).dump(state)
        for key, (name, shape) in enumerate(tensors(model)):
            with out.open(f"archive/data/{key}", "w") as entry:
                write_elements(entry, name, shape)
        out.writestr("archive/version", "3\n")


def tensorflow_tensors(model):
    """Names and shapes of Huawei's variables; kernels are [in, out]."""
    for name, shape in tensors(model):
        if name.endswith(TABLE):
            continue
        if is_kernel(name, shape):
            name, shape = name.removesuffix("weight") + "kernel", shape[::-1]
        name = name.replace("nezha.", "bert.").replace("layer.", "layer_")
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        name = name.replace("embeddings.weight", "embeddings").replace("predictions.bias", "predictions.output_bias")
        yield name.replace(".", "/"), shape


def varint(number):
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def field(number, value):
    """A field of a protobuf message: a number, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def masked(checksum):
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def write_table(path, entries):
    """A LevelDB table with a block for each entry, none of which shares a prefix."""
    from crc32c import crc32c

    def block(pairs):
        content = b"".join(varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in pairs)
        content += struct.pack("<II", 0, 1)
        handle = varint(out.tell()) + varint(len(content))
        out.write(content + b"\0" + struct.pack("<I", masked(crc32c(content + b"\0"))))
        return handle

    with open(path, "wb") as out:
        index = [(key, block([(key, value)])) for key, value in sorted(entries)]
        footer = block([]) + block(index)
        out.write(footer.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db"))


def write_tensorflow(folder, model):
    """A bundle with the moments of Adam, which are holes in the file."""
    from crc32c import crc32c

    entries = [(b"", field(1, 1) + field(3, field(1, 1)))]
    with open(folder / "model.ckpt.data-00000-of-00001", "wb") as out:
        for name, shape in tensorflow_tensors(model):
            size = 4 * prod(shape)
            dimensions = b"".join(field(2, field(1, it)) for it in shape)
            for slot in ["", "/adam_m", "/adam_v"]:
                checksum, offset = 0, out.tell()
                if slot:
                    out.seek(size, os.SEEK_CUR)
                else:
                    for part in blocks(name, shape):
                        checksum = crc32c(part, checksum)
                        out.write(part)
                entry = field(1, 1) + field(2, dimensions) + field(4, offset) + field(5, size)
                entry += varint(6 << 3 | 5) + struct.pack("<I", masked(checksum))
                entries.append(((name + slot).encode(), entry))
        out.truncate()
    write_table(folder / "model.ckpt.index", entries)


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


def export(command):
    """Seconds and peak memory of an export."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = peak_anonymous(process)
    return time.perf_counter() - start, peak


def copy(sources, target):
    """Seconds of `cp` and a sync."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    start = time.perf_counter()
    subprocess.run(["cp", *sources, target], check=True)
    subprocess.run(["sync", *target.iterdir()], check=True)
    return time.perf_counter() - start


def measure(nezha, checkpoint, folder, options, repeat):
    # Linked weights are in the checkpoint's own folder.
    target = checkpoint if "linked" in options else folder / "exported"
    peak, exports, copies = 0, [], []
    for _ in range(repeat):
        seconds, turn = export([nezha, "export", checkpoint, "-o", target, *options.split()])
        exports.append(seconds)
        peak = max(peak, turn)
        files = list(target.glob("*.onnx*"))
        written = sum(file.stat().st_size for file in files)
        copies.append(copy(files, folder / "copy"))
        for file in files:
            file.unlink()
    return Measured(written, min(exports), min(copies), peak / 1e6)


FORMATS = {
    "safetensors": write_safetensors,
    ".bin": lambda folder, model: write_torch(folder, model, transposed=False),
    ".bin, transposed": lambda folder, model: write_torch(folder, model, transposed=True),
    "TensorFlow with Adam": write_tensorflow,
}


def make_checkpoint(folder, form, model):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(model.config()))
    FORMATS[form](folder, model)
    os.sync()


def print_row(*cells):
    print("|", " | ".join(cells), "|", flush=True)


def bytes_text(size):
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.2f} MB"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--size", choices=MODELS, required=True)
    arguments.add_argument("--nezha", type=Path, default=Path("target/release/nezha"))
    arguments.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    arguments.add_argument("--repeat", type=int, default=3)
    arguments = arguments.parse_args()
    pose_as_torch()
    print_row("checkpoint", "way", "written", "export", "cp and sync", "ratio", "peak RssAnon")
    print("|---|---|---:|---:|---:|---:|---:|")
    aims = []
    for form, exports in groupby(EXPORTS[arguments.size], lambda it: it.form):
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            checkpoint = Path(folder) / "checkpoint"
            make_checkpoint(checkpoint, form, MODELS[arguments.size])
            size = sum(file.stat().st_size for file in checkpoint.iterdir())
            for it in exports:
                nezha = arguments.nezha.resolve()
                found = measure(nezha, checkpoint, Path(folder), it.options, arguments.repeat)
                print_row(
                    f"{form}, {bytes_text(size)}",
                    f"`{it.options}`" if it.options else "default",
                    bytes_text(found.written),
                    f"{found.seconds:.3f} s",
                    f"{found.copy_seconds:.3f} s",
                    f"{found.ratio:.2f}",
                    f"{found.megabytes:.0f} MB",
                )
                aims += [(it, found, *aim) for aim in it.aims.items()]
    print()
    for it, found, name, most in aims:
        value = getattr(found, name)
        verdict = "met" if value <= most else "missed"
        print(f"- {it.form} {it.options}: {name} at most {most:g}: {verdict}, {value:.3g}")


if __name__ == "__main__":
    main()
