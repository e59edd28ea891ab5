"""How the time of `nezha export` grows with layers, vocabulary, relative positions and heads.

    cargo build --release && python benches/scaling.py [--folder DIR] [--repeat 3] [--only layers]

Each curve changes one size of a tiny model, in every precision, and for layers also in every placement
of the weights, every head and with every output. The checkpoints are made here, all of them zeros, so
that what counts is the graph and not the disk. Seconds are the processor's, on all cores together, so
that a busy machine changes little; the best of several turns counts.

Time may grow as fast as what is written, no faster: the last column is the growth over the whole curve
by that of the size. Of layers, each row has to stay within 3 times the time of fp32 at the largest
number. Needs Python alone and takes a quarter of an hour. Prints tables in Markdown, and which aims are
met.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

PRECISIONS = ["fp32", "fp16", "int8", "q8", "q4", "fp32 --storage fp16"]
HEADS = [
    "base",
    "pretraining",
    "masked-lm",
    "next-sentence",
    "sequence-classification",
    "multiple-choice",
    "token-classification",
    "question-answering",
]
# Whose `classifier` it is, where it is not sequence classification's.
CLASSES = {
    "multiple-choice": "NezhaForMultipleChoice",
    "token-classification": "NezhaForTokenClassification",
}
# The most of fp32's time that another row may take at the largest number of layers.
MOST = 3


@dataclass(frozen=True)
class Model:
    layers: int = 2
    hidden: int = 4
    heads: int = 2
    vocabulary: int = 8
    distance: int = 4
    decoder: bool = False

    def config(self, head):
        return {
            "model_type": "nezha",
            "architectures": [CLASSES.get(head, "NezhaForSequenceClassification")],
            "vocab_size": self.vocabulary,
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.hidden,
            "max_relative_position": self.distance,
            "is_decoder": self.decoder,
        }

    def tensors(self):
        """Names and shapes."""
        hidden = self.hidden

        def dense(name, outputs=hidden):
            yield f"{name}.weight", (outputs, hidden)
            yield f"{name}.bias", (outputs,)

        def layer_norm(name):
            yield f"{name}.weight", (hidden,)
            yield f"{name}.bias", (hidden,)

        yield "nezha.embeddings.word_embeddings.weight", (self.vocabulary, hidden)
        yield "nezha.embeddings.token_type_embeddings.weight", (2, hidden)
        yield from layer_norm("nezha.embeddings.LayerNorm")
        for number in range(self.layers):
            layer = f"nezha.encoder.layer.{number}"
            for part in ("query", "key", "value"):
                yield from dense(f"{layer}.attention.self.{part}")
            yield from dense(f"{layer}.attention.output.dense")
            yield from layer_norm(f"{layer}.attention.output.LayerNorm")
            yield from dense(f"{layer}.intermediate.dense")
            yield from dense(f"{layer}.output.dense")
            yield from layer_norm(f"{layer}.output.LayerNorm")
        yield from dense("nezha.pooler.dense")
        yield "cls.predictions.bias", (self.vocabulary,)
        yield from dense("cls.predictions.transform.dense")
        yield from layer_norm("cls.predictions.transform.LayerNorm")
        yield from dense("cls.seq_relationship", 2)
        yield from dense("qa_outputs", 2)
        yield from dense("classifier", 2)

    def write(self, folder, head):
        (folder / "config.json").write_text(json.dumps(self.config(head)))
        header, end = {}, 0
        for name, shape in self.tensors():
            if name.startswith("classifier") and head == "multiple-choice":
                shape = (1, *shape[1:])
            start, end = end, end + 4 * prod(shape)
            header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
        text = json.dumps(header).encode()
        with open(folder / "model.safetensors", "wb") as out:
            out.write(len(text).to_bytes(8, "little") + text)
            out.truncate(8 + len(text) + end)


@dataclass(frozen=True)
class Curve:
    title: str
    size: str
    values: list
    ways: list
    model: Model = Model()


def ways_of_layers():
    yield from (f"--head base --dtype {it}" for it in PRECISIONS)
    yield from (f"--head base --weights {it}" for it in ("external", "linked"))
    yield "--head base --outputs hidden-states,attentions"
    yield "--head base --dtype fp16 --outputs hidden-states,attentions"
    for head in HEADS[1:]:
        yield f"--head {head}"
        yield f"--head {head} --dtype fp16"


CURVES = [
    Curve("Layers", "layers", [128, 256, 512, 1024], list(ways_of_layers())),
    Curve(
        "Layers of a decoder with a cache",
        "layers",
        [128, 256, 512, 1024],
        [f"--head masked-lm --kv-cache --dtype {it}" for it in ("fp32", "fp16", "int8")],
        Model(decoder=True),
    ),
    Curve(
        "Vocabulary",
        "vocabulary",
        [1 << 17, 1 << 18, 1 << 19, 1 << 20],
        [f"--head masked-lm --dtype {it}" for it in PRECISIONS],
    ),
    Curve(
        "Relative positions (`max_relative_position`), head size 32",
        "distance",
        [4096, 8192, 16384, 32768],
        [f"--head base --dtype {it}" for it in PRECISIONS],
        Model(hidden=64),
    ),
    Curve(
        "Attention heads of size 1",
        "heads",
        [256, 512, 1024],
        [f"--head base --dtype {it}" for it in PRECISIONS],
    ),
]


def seconds(nezha, checkpoint, target, way, repeat):
    """Processor time of an export."""
    target = checkpoint if "linked" in way else target
    best = float("inf")
    for _ in range(repeat):
        command = [nezha, "export", checkpoint, "-o", target, "--force", *way.split()]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        if status != 0:
            sys.exit(f"{command} failed")
        best = min(best, used.ru_utime + used.ru_stime)
    return best


def measure(curve, nezha, parent, repeat):
    """Seconds of each way at each value."""
    found = {way: [] for way in curve.ways}
    for value in curve.values:
        model = replace(curve.model, **{curve.size: value})
        if curve.size == "heads":
            model = replace(model, hidden=value)
        for way in curve.ways:
            with tempfile.TemporaryDirectory(dir=parent) as folder:
                checkpoint = Path(folder) / "checkpoint"
                checkpoint.mkdir()
                head = way.split()[1]
                model.write(checkpoint, head)
                found[way].append(seconds(nezha, checkpoint, Path(folder) / "out", way, repeat))
    return found


def print_row(*cells):
    print("|", " | ".join(cells), "|", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--nezha", type=Path, default=Path("target/release/nezha"))
    arguments.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    arguments.add_argument("--repeat", type=int, default=3)
    arguments.add_argument("--only", default="", help="curves whose title has this in it")
    arguments = arguments.parse_args()
    for curve in CURVES:
        if arguments.only.lower() not in curve.title.lower():
            continue
        found = measure(curve, arguments.nezha.resolve(), arguments.folder, arguments.repeat)
        print(f"\n## {curve.title}\n")
        print_row("way", *(f"{it:,}" for it in curve.values), "growth by the size's")
        print("|---" + "|---:" * (len(curve.values) + 1) + "|")
        growth = curve.values[-1] / curve.values[0]
        for way, times in found.items():
            cells = (f"{it:.3f} s" for it in times)
            print_row(f"`{way}`", *cells, f"{times[-1] / times[0] / growth:.2f}")
        if curve.size == "layers":
            first, *others = found.values()
            worst = max(times[-1] for times in others) / first[-1]
            verdict = "met" if worst <= MOST else "missed"
            print(f"\n- at most {MOST} times fp32's time: {verdict}, {worst:.2f}")


if __name__ == "__main__":
    main()
