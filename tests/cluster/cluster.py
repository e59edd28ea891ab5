"""Runs the schedulers of requirements.json, each in an environment of its own, and prints a table."""

import argparse
import datetime
import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples" / "cluster"
SCRIPTS = {
    "ray": "kill_ray.py",
    "ray_data": "kill_ray_data.py",
    "spark": "kill_spark.py",
    "dask": "kill_dask.py",
    "files": "files.py",
}
TIMEOUT = 1800


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("nezha", type=Path, help="the program")
    arguments.add_argument("model", type=Path, help="a folder that `nezha export` wrote")
    arguments.add_argument("--work", type=Path, required=True, help="folder for environments and outputs; kept")
    arguments.add_argument("--only", help="the scheduler of this name")
    arguments = arguments.parse_args()
    requirements = json.loads((HERE / "requirements.json").read_text())
    chosen = [name for name in SCRIPTS if arguments.only in (None, name)]
    if not chosen:
        sys.exit(f"none is called '{arguments.only}': {', '.join(SCRIPTS)}")
    work = arguments.work.resolve()
    rows = [(name, *run(name, requirements[name], arguments, work)) for name in chosen]
    today = datetime.date.today().isoformat()
    lines = [f"| {today} | result | seconds |", "|---|---|---:|"]
    lines += [f"| {', '.join(requirements[name])} | {said} | {seconds:.0f} |" for name, _, said, seconds in rows]
    table = "\n".join(lines) + "\n"
    (work / "results.md").write_text(table)
    print(table)
    sys.exit(0 if all(passed for _, passed, _, _ in rows) else 1)


def run(name, packages, arguments, work):
    """Whether it passed, what it said last, and how long it took."""
    print(f"{name} …", file=sys.stderr)
    python = environment(work / name, packages)
    scratch = work / f"{name}-output"
    variables = {
        **os.environ,
        "NEZHA": str(arguments.nezha.resolve()),
        "PYTHONPATH": os.pathsep.join([str(EXAMPLES), str(HERE)]),
        "PYSPARK_PYTHON": str(python),
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    }
    start = time.monotonic()
    command = [python, HERE / SCRIPTS[name], arguments.model.resolve(), scratch]
    try:
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return False, f"not done after {TIMEOUT} s", TIMEOUT
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
    said = (done.stdout.strip().splitlines() or ["nothing"])[-1]
    passed = done.returncode == 0
    return passed, said if passed else f"exit code {done.returncode}: {said}", time.monotonic() - start


def environment(folder, packages):
    """A virtual environment with these packages; its Python."""
    python = folder / "bin" / "python"
    marker = folder / "packages.txt"
    if not marker.exists() or marker.read_text() != "\n".join(packages):
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        marker.write_text("\n".join(packages))
    return python


if __name__ == "__main__":
    main()
