"""`nezha score` beside what a user would write otherwise: rows a second and memory.

    pip install -r benches/corpus/requirements.txt
    cargo build --release && python benches/corpus/measure.py --size base --rows 150 [--threads 2] [--turns 3] [--equal 128]

The texts are the bundled held-out reviews, cut at 512 tokens; with --equal their characters, in texts of as many tokens
each. The base size has random weights, the tiny size is the bundled classifier; both are exported in fp32. Everybody
computes in the same ONNX Runtime on as many threads but transformers' pipeline, which computes in torch and is left out
without it. Contestants take turns, so that what else the machine does hits all; the least of each one's turns counts.
Seconds are those of the work with its files, without the start: Python's imports, sessions, tokenizers. Of `nezha` the
whole process is told too, and its processor time is the process's. Prints a table in Markdown, and which aims are met.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))
TINY = ROOT / "models" / "nezha-tiny-zh-sentiment"
#: Rows a second of `nezha score` by those of the contestant, at least: by size.
AIMS = {
    "base": {"file-order": 4.0, "by-length": 1.05, "text-classification": 0.95},
    "tiny": {"by-length": 1.5, "text-classification": 0.95},
}
#: The same where all texts have equal lengths.
EQUAL_AIMS = {"engine": 0.9, "text-classification": 0.95}
TUNED_AIM = 3.0
NAMES = {
    "score": "`nezha score`",
    "tuned": "`nezha score`, as `nezha tune` picked",
    "text-classification": "`nezha text-classification`, the pipeline alone",
    "engine": "onnxruntime alone, batches of 8 that were tokens before",
    "module": "`nezha_onnx.TextClassification`, the pipeline from Python",
    "file-order": "loop over onnxruntime, batch 32, file order",
    "by-length": "loop over onnxruntime, batch 8, sorted by length",
    "transformers": "transformers' pipeline",
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--nezha", type=Path, default=ROOT / "target/release/nezha")
    arguments.add_argument("--size", choices=AIMS, default="base")
    arguments.add_argument("--rows", type=int, default=150)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--turns", type=int, default=3)
    arguments.add_argument("--equal", type=int, help="tokens of each text")
    arguments.add_argument("--only", type=lambda text: text.split(","), default=list(NAMES), help="contestants: name,name")
    arguments.add_argument("--folder", type=Path, default=ROOT / "target/corpus")
    arguments = arguments.parse_args()
    scene = Scene(arguments)
    contestants = [kind for kind in NAMES if kind in arguments.only and scene.is_there(kind)]
    started = {kind: Loop(kind, scene) if kind not in scene.commands else Command(kind, scene) for kind in contestants}
    turns = {kind: [] for kind in contestants}
    for _ in range(arguments.turns):
        for kind, contestant in started.items():
            turns[kind].append(contestant.turn())
            print(f"{kind}: {turns[kind][-1]['seconds']:.2f} s", file=sys.stderr, flush=True)
    report(scene, turns)


class Scene:
    """Models and texts, made once and kept."""

    def __init__(self, arguments):
        self.nezha = arguments.nezha.resolve()
        self.size, self.count, self.threads = arguments.size, arguments.rows, arguments.threads
        folder = arguments.folder.resolve() / self.size
        folder.mkdir(parents=True, exist_ok=True)
        self.library = onnxruntime_library()
        self.checkpoint = TINY if self.size == "tiny" else base_size(folder / "checkpoint")
        self.model = folder / "model"
        if not self.model.exists():
            subprocess.run([self.nezha, "export", self.checkpoint, "-o", self.model], check=True)
        self.equal = arguments.equal
        texts = reviews()[: self.count] if self.equal is None else of_equal_length(self.equal, self.count)
        self.rows = folder / (f"{self.count}.jsonl" if self.equal is None else f"{self.count}-of-{self.equal}.jsonl")
        self.texts = len(texts)
        self.rows.write_text("".join(json.dumps({"text": it}, ensure_ascii=False) + "\n" for it in texts), encoding="utf-8")
        self.output = folder / "scored.jsonl"
        self.tuned = folder / "tuned"
        score = ["score", self.rows, "-o", self.output, "--restart", "--max-length", "512", "--progress", "json"]
        options = ["--engine", "ort", "--threads", str(self.threads)]
        self.commands = {
            "score": [*score, "--model", self.model, *options],
            "tuned": [*score, "--model", self.tuned],
            "text-classification": ["text-classification", self.model, "--file", self.rows, "--json", *options],
        }

    def is_there(self, kind):
        match kind:
            case "engine":
                return self.equal is not None
            case "tuned":
                return self.tuned.exists()
            case "module":
                return find_spec("nezha_onnx") is not None
            case "transformers":
                return find_spec("torch") is not None
            case _:
                return True


def reviews():
    lines = (TINY / "heldout.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t", 1)[1] for line in lines]


def of_equal_length(tokens, count):
    """Texts of so many tokens, [CLS] and [SEP] among them: each Chinese character of the vocabulary is one."""
    vocabulary = set((TINY / "vocab.txt").read_text(encoding="utf-8").splitlines())
    characters = "".join(it for text in reviews() for it in text if "\u4e00" <= it <= "\u9fff" and it in vocabulary)
    each = tokens - 2
    return [characters[start : start + each] for start in range(0, len(characters) - each, each)][:count]


def onnxruntime_library():
    """The library of the Python package, for all."""
    folder = Path(find_spec("onnxruntime").origin).parent / "capi"
    return str(next(folder.glob("libonnxruntime.so*")))


def base_size(folder):
    """A classifier of the base size with random weights, and the bundled tokenizer."""
    if not folder.exists():
        import random_checkpoint
        from transformers import BertTokenizerFast

        random_checkpoint.write(folder, labels=["negative", "positive"])
        BertTokenizerFast.from_pretrained(TINY).save_pretrained(folder)
    return folder


class Loop:
    """A Python process that scores all texts for each line it reads."""

    def __init__(self, kind, scene):
        command = [sys.executable, HERE / "loops.py", kind, scene.model, scene.checkpoint, scene.rows, str(scene.threads)]
        variables = {**os.environ, "ORT_DYLIB_PATH": scene.library, "TOKENIZERS_PARALLELISM": "true"}
        self.process = subprocess.Popen(
            [str(it) for it in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables
        )
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit(f"{kind} did not start")

    def turn(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


class Command:
    """`nezha`, a process for each turn."""

    def __init__(self, kind, scene):
        self.command = [str(it) for it in [scene.nezha, *scene.commands[kind]]]
        self.variables = {**os.environ, "ORT_DYLIB_PATH": scene.library}
        self.output = scene.output if kind != "text-classification" else None

    def turn(self):
        begin = time.perf_counter()
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=errors, env=self.variables)
            printed = process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
            whole = time.perf_counter() - begin
            errors.seek(0)
            said = errors.read()
        if status != 0:
            raise SystemExit(f"{self.command}: exit status {status}: {said}")
        if self.output is None:
            seconds, labels = whole, [it["answer"][0]["label"] for it in json.loads(printed)]
        else:
            last = json.loads(said.splitlines()[-1])
            seconds = last["rows"] / last["rows_per_second"]
            labels = [json.loads(line)["label"] for line in self.output.read_text(encoding="utf-8").splitlines()]
        processor = used.ru_utime + used.ru_stime
        return {"seconds": seconds, "whole": whole, "processor": processor, "kilobytes": used.ru_maxrss, "labels": labels}


def report(scene, turns):
    least = {kind: {name: min(it[name] for it in of_kind) for name in ("seconds", "processor")} for kind, of_kind in turns.items()}
    peaks = {kind: max(it["kilobytes"] for it in of_kind) / 1000 for kind, of_kind in turns.items()}
    packages = ", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "transformers", "torch") if find_spec(name))
    length = f" of {scene.equal} tokens" if scene.equal else ""
    print(f"\n{scene.size}, {scene.texts} texts{length}, {scene.threads} threads; {packages}\n")
    print("| what | rows a second | seconds | whole process | of the processor | peak memory | `score` by seconds | by processor time |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    base = least.get("score")
    expected = next(iter(turns.values()))[0]["labels"]
    for kind, best in least.items():
        factors = [f"{best[name] / base[name]:.2f}" if base else "" for name in ("seconds", "processor")]
        whole = min((it["whole"] for it in turns[kind] if "whole" in it), default=None)
        cells = [f"{scene.texts / best['seconds']:.1f}", f"{best['seconds']:.2f}", f"{whole:.2f}" if whole else ""]
        cells.append(f"{best['processor']:.2f}")
        print("|", " | ".join([NAMES[kind], *cells, f"{peaks[kind]:.0f} MB", *factors]), "|")
    print()
    for kind, of_kind in turns.items():
        differing = sum(a != b for a, b in zip(expected, of_kind[0]["labels"]))
        if differing or len(of_kind[0]["labels"]) != len(expected):
            print(f"- {NAMES[kind]}: {differing} labels differ")
    for kind, aim in (EQUAL_AIMS if scene.equal else AIMS[scene.size]).items():
        if base and kind in least:
            factor = least[kind]["seconds"] / base["seconds"]
            print(f"- {aim} times {NAMES[kind]}: {'met' if factor >= aim else 'missed'}, {factor:.2f}")
    if "tuned" in least and "by-length" in least:
        factor = least["by-length"]["seconds"] / least["tuned"]["seconds"]
        print(f"- as tuned, {TUNED_AIM} times {NAMES['by-length']}: {'met' if factor >= TUNED_AIM else 'missed'}, {factor:.2f}")


if __name__ == "__main__":
    main()
