"""What the scripts share: rows, the output of one process, an example at work, the comparison."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

NEZHA = os.environ["NEZHA"]
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "cluster"
ROWS = 6000
#: Files that the rows come in, where a file is a block or a task.
FILES = 12
OPTIONS = ["--engine", "tract", "--threads", "1"]
PART_ROWS = ["--part-rows", "128"]
PARTS = -(-ROWS // 128)
#: How much is done before something is killed.
SHARE = 0.3


class Scene:
    """The model, an empty folder, the rows in one file and in several, and the table that one process makes of them."""

    def __init__(self):
        self.model, self.scratch = Path(sys.argv[1]), Path(sys.argv[2])
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        self.rows, self.folder = self.scratch / "rows.parquet", self.scratch / "rows"
        table = pa.table({"id": pa.array(range(ROWS), pa.int64()), "text": pa.array(texts())})
        pq.write_table(table, self.rows)
        self.folder.mkdir()
        for start in range(0, ROWS, ROWS // FILES):
            pq.write_table(table.slice(start, ROWS // FILES), self.folder / f"{start:05}.parquet")
        whole = self.scratch / "whole.parquet"
        command = [NEZHA, "score", self.rows, "-o", whole, "--model", self.model, *OPTIONS, *PART_ROWS]
        subprocess.run([*command, "--progress", "none"], check=True)
        self.expected = pq.read_table(whole)


def texts():
    """Texts of several lengths, some empty and some missing."""
    for row in range(ROWS):
        if row % 50 == 7:
            yield None
        else:
            yield "" if row % 50 == 13 else f"第{row}条：房间很干净" + "服务热情，" * (row % 5)


class Counted:
    """`nezha` as a program that writes down what it is started with."""

    def __init__(self, scratch):
        self.log, self.program = scratch / "starts.txt", scratch / "nezha"
        self.program.write_text(f'#!/bin/sh\necho "$@" >> "{self.log}"\nexec "{NEZHA}" "$@"\n')
        self.program.chmod(0o755)

    def variables(self, **more):
        """The environment of an example that takes it for `nezha`."""
        return {**os.environ, "NEZHA": str(self.program), **more}

    def parts_begun_twice(self):
        """How many parts were."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        starts = Counter(line[line.index("--parts") + 1] for line in lines if "--parts" in line)
        return sum(count > 1 for count in starts.values())


def example(name, *arguments, variables=None):
    """An example at work."""
    command = [sys.executable, EXAMPLES / name, *arguments]
    return subprocess.Popen([str(it) for it in command], env=variables)


def ended(process):
    """Waits for an example, which has to end well."""
    if process.wait() != 0:
        raise SystemExit(f"{process.args}: exit code {process.returncode}")


def wait_for(what, condition, process, seconds=600):
    """Waits until a condition holds while a process runs."""
    until = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None:
            raise SystemExit(f"it ended before there was {what}: the kill would prove nothing")
        if time.monotonic() > until:
            raise SystemExit(f"not after {seconds} s: {what}")
        time.sleep(0.02)


def committed(output):
    """Parts that are done."""
    return len(list(Path(f"{output}.parts").glob("part-*.parquet")))


def descendants(pid):
    """A process and those below it."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    return [pid, *(below for child in found for below in descendants(int(child)))]


def kill(pids):
    """Kills processes; those that were there."""
    killed = []
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        except ProcessLookupError:
            pass
    return killed


def check(expected, found, bits=True):
    """Fails unless every id is there once, with the same label and score."""
    found = found.sort_by("id")
    ids = found["id"].to_pylist()
    if ids != list(range(ROWS)):
        raise SystemExit(f"{len(ids)} rows, {len(set(ids))} ids, expected {ROWS}")
    for row, (one, other) in enumerate(zip(expected["label"].to_pylist(), found["label"].to_pylist())):
        if one != other:
            raise SystemExit(f"label of row {row}: {other}, expected {one}")
    for row, (one, other) in enumerate(zip(expected["score"].to_pylist(), found["score"].to_pylist())):
        near = one == other or (not bits and one is not None and other is not None and abs(one - other) < 1e-5)
        if not near:
            raise SystemExit(f"score of row {row}: {other}, expected {one}")
