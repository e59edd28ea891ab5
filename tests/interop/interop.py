"""Loads every head in other people's stacks and compares with transformers' own answers.

Each stack of stacks.json gets an environment of its own with pinned packages (venv or npm) under --work; its runner
there gets the folder of cases and prints one JSON line for each head. The result is a Markdown table: the worst error
as a share of the largest magnitude in a tensor, or the reason why there is none.
"""

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
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
# Above this an answer counts as wrong; float32 engines on a CPU stay far below. A stack that computes another function
# on purpose has a limit of its own.
ALLOWED = 1e-4
TIMEOUT = 600


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("answers", type=Path, help="a folder with HEAD/answers.safetensors for each head")
    arguments.add_argument("--work", type=Path, required=True, help="folder of what was exported, and for environments and cases; kept")
    arguments.add_argument("--only", help="the stacks whose name has this in it")
    arguments = arguments.parse_args()
    work = arguments.work.resolve()
    service = work / "service"
    stacks = json.loads((HERE / "stacks.json").read_text())
    chosen = [it for it in stacks if not arguments.only or arguments.only in it["stack"]]
    if not chosen:
        sys.exit(f"no stack has '{arguments.only}' in its name: {', '.join(it['stack'] for it in stacks)}")
    make_cases(work, work, arguments.answers.resolve())
    make_cases(work, service, arguments.answers.resolve(), "--service")
    rows = [(stack["stack"], run(stack, work, work)) for stack in chosen]
    served = [stack for stack in chosen if stack.get("service", True)]
    rows += [(f"{stack['stack']}, as a service", run(stack, work, service)) for stack in served]
    table = markdown(rows)
    (work / "results.md").write_text(table, encoding="utf-8")
    print(table)
    failed = [cell for _, cells in rows for cell in cells.values() if not cell["ok"]]
    sys.exit(1 if failed else 0)


def make_cases(work, exported, answers, *options):
    """cases/HEAD.json for each head: the model's path, and transformers' questions and answers as plain lists."""
    script = HERE / "make_cases.py"
    python = environment(work / "make_cases", ["safetensors==0.8.0", "numpy==2.4.6"])
    subprocess.run([python, script, *options, exported / "artifacts", answers, exported / "cases", *HEADS], check=True)


def run(stack, work, exported):
    """Result by head: ok, and the text of the cell."""
    # burn-onnx turns the models into code when its runner is built.
    os.environ["NEZHA_INTEROP_MODELS"] = str(exported / "burn")
    folder = work / "".join(it if it.isalnum() or it in ".-" else "_" for it in stack["stack"])
    try:
        command = runner(stack, folder)
        print(f"{stack['stack']} …", file=sys.stderr)
        done = subprocess.run([*command, exported / "cases", *stack.get("arguments", [])], capture_output=True, text=True, timeout=TIMEOUT)
    except (subprocess.SubprocessError, OSError) as error:
        said = getattr(error, "stderr", None) or ""
        # Of rustc's, each once: generated code has the same errors for every head.
        errors = dict.fromkeys(re.findall(r"error\[E\d+\]: .*", said))
        reason = "; ".join(errors) or f"{error} {said}"
        return {head: cell({"reason": reason}, stack) for head in HEADS}
    cells = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            result = json.loads(line)
            cells[result["head"]] = cell(result, stack)
    crashed = {"ok": False, "text": f"no answer, exit code {done.returncode}: {one_line(done.stderr)}"}
    return {head: cells.get(head, crashed) for head in HEADS}


def runner(stack, folder):
    """The command of the stack's runner, its packages installed."""
    if "crate" in stack:
        manifest = HERE / stack["crate"] / "Cargo.toml"
        build = ["cargo", "build", "--quiet", "--release", "--locked", "--message-format", "short"]
        build += ["--manifest-path", manifest, "--target-dir", folder]
        subprocess.run(build, check=True, capture_output=True, text=True)
        return [folder / "release" / f"nezha-interop-{stack['crate']}"]
    script = HERE / stack["runner"]
    if "requirements" in stack:
        return [environment(folder, stack["requirements"]), script]
    if not (folder / "node_modules").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        # Without its script, onnxruntime-node does not fetch the libraries for GPUs.
        install = ["npm", "install", "--silent", "--ignore-scripts", *stack["packages"]]
        subprocess.run(install, cwd=folder, check=True, capture_output=True, text=True)
    name = stack["packages"][0].rsplit("@", 1)[0]
    return ["node", script, folder / "node_modules" / name]


def environment(folder, requirements):
    """The Python of a virtual environment that has exactly these packages and what they need."""
    python = folder / "bin" / "python"
    done = folder / "requirements.txt"
    text = "\n".join(requirements)
    if not done.is_file() or done.read_text() != text:
        venv.create(folder, with_pip=True, clear=True)
        install = [python, "-m", "pip", "install", "--quiet", *requirements]
        subprocess.run(install, check=True, capture_output=True, text=True)
        done.write_text(text)
    return python


def cell(result, stack):
    if "skipped" in result:
        return {"ok": True, "text": "–"}
    if "reason" in result:
        known = any(it in result["reason"] for it in stack.get("known", []))
        return {"ok": known, "text": one_line(result["reason"])}
    if "error" not in result:
        return {"ok": True, "text": "passes"}
    error, allowed = result["error"], stack.get("allowed", ALLOWED)
    return {"ok": error <= allowed, "text": f"{error:.1e}" if error <= allowed else f"**wrong: {error:.1e}**"}


def one_line(text):
    return " ".join(str(text).split())[:200].replace("|", "\\|")


def markdown(rows):
    lines = [
        f"{datetime.date.today()}: worst error, as a share of the largest magnitude in a tensor.",
        "",
        "| stack | " + " | ".join(HEADS) + " |",
        "|---" * (len(HEADS) + 1) + "|",
    ]
    for name, cells in rows:
        lines.append(f"| {name} | " + " | ".join(cells[head]["text"] for head in HEADS) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
