"""Runs the schedulers, each in an environment of its own, and prints a table; of all of them it is a dated result."""

import argparse
import datetime
import os
import platform
import subprocess
import sys
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SCRIPTS = {
    "ray": "kill_ray.py",
    "ray_data": "kill_ray_data.py",
    "dask": "kill_dask.py",
    "spark": "kill_spark.py",
    "arrays": "arrays.py",
    "files": "files.py",
}
#: Those whose example computes in process where the Python package is.
IN_PROCESS = ["ray_data", "spark"]
TIMEOUT = 1800


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("nezha", type=Path, help="the program")
    arguments.add_argument("model", type=Path, help="a folder that `nezha export` wrote")
    arguments.add_argument("--work", type=Path, required=True, help="folder for environments and outputs; kept")
    arguments.add_argument("--only", help="the scheduler of this name")
    arguments.add_argument("--wheel", type=Path, help="the Python package, for pipelines that compute in process")
    arguments = arguments.parse_args()
    chosen = [name for name in SCRIPTS if arguments.only in (None, name)]
    if not chosen:
        sys.exit(f"none is called '{arguments.only}': {', '.join(SCRIPTS)}")
    runs = [(name, None) for name in chosen]
    if arguments.wheel:
        runs += [(name, arguments.wheel.resolve()) for name in chosen if name in IN_PROCESS]
    rows = [run(name, wheel, arguments) for name, wheel in runs]
    table = "| what | result | seconds |\n|---|---|---:|\n" + "".join(f"| {' | '.join(row)} |\n" for row, _ in rows)
    print(table)
    if not arguments.only:
        write_result(table)
    sys.exit(0 if all(passed for _, passed in rows) else 1)


def write_result(table):
    today = datetime.date.today().isoformat()
    head = (
        "# Schedulers that lose machines\n\n"
        f"`cargo xtask cluster`, {today}, {os.cpu_count()} cores, Python {platform.python_version()}: the examples of\n"
        "`examples/cluster` over 6,000 rows and the bundled sentiment model; parts in tract, pipelines in ONNX Runtime.\n"
        "tests/cluster says what each run does and proves.\n\n"
    )
    (ROOT / "benches" / "results" / f"{today}-cluster.md").write_text(head + table)


def run(name, wheel, arguments):
    """A row of the table, and whether the run passed."""
    print(f"{name}{' in process' if wheel else ''} …", file=sys.stderr)
    work = arguments.work.resolve()
    python = environment(work / (f"{name}-in-process" if wheel else name), name, wheel)
    variables = {
        **os.environ,
        "NEZHA": str(arguments.nezha.resolve()),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "examples" / "cluster"), str(HERE)]),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PYSPARK_PYTHON": str(python),
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    start = time.monotonic()
    command = [python, HERE / SCRIPTS[name], arguments.model.resolve(), work / f"{name}-output"]
    try:
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=TIMEOUT)
        output, code = done.stdout, done.returncode
        if code:
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
    except subprocess.TimeoutExpired:
        output, code = "", f"none after {TIMEOUT} s"
    said = (output.strip().splitlines() or ["nothing said"])[-1]
    what = f"{title(name)}{', in process' if wheel else ''}"
    return (what, said if code == 0 else f"exit code {code}: {said}", f"{time.monotonic() - start:.0f}"), code == 0


def title(name):
    """The packages that matter, with their versions: the first line of its requirements."""
    return requirements(name).read_text().splitlines()[0].removeprefix("# ")


def requirements(name):
    return HERE / "requirements" / f"{name}.txt"


def environment(folder, name, wheel):
    """A virtual environment with what is pinned, and the wheel; its Python."""
    python = folder / "bin" / "python"
    marker = folder / "packages.txt"
    wanted = requirements(name).read_text() + (f"{wheel} {wheel.stat().st_mtime}" if wheel else "")
    if not marker.exists() or marker.read_text() != wanted:
        venv.create(folder, with_pip=True, clear=True)
        packages = ["-r", requirements(name), *([wheel] if wheel else [])]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        marker.write_text(wanted)
    return python


if __name__ == "__main__":
    main()
