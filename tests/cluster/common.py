"""What the scripts share: rows, the output of one process, the comparison."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

NEZHA = os.environ["NEZHA"]
ROWS = 6000
OPTIONS = ["--engine", "tract", "--threads", "1"]
PART_ROWS = ["--part-rows", "128"]


def scene():
    """The model, an empty folder, the rows' file and the table that one process makes of it."""
    model, scratch = Path(sys.argv[1]), Path(sys.argv[2])
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    rows = scratch / "rows.parquet"
    text = ["" if row % 50 == 13 else None if row % 50 == 7 else f"第{row}条：房间很干净" + "服务热情，" * (row % 5) for row in range(ROWS)]
    pq.write_table(pa.table({"id": pa.array(range(ROWS), pa.int64()), "text": pa.array(text)}), rows)
    whole = scratch / "whole.parquet"
    command = [NEZHA, "score", rows, "-o", whole, "--model", model, *OPTIONS, *PART_ROWS, "--progress", "none"]
    subprocess.run(command, check=True)
    return model, scratch, rows, pq.read_table(whole)


def wait_for(what, condition, seconds=600):
    """Waits until a condition holds."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise SystemExit(f"not after {seconds} s: {what}")
        time.sleep(0.02)


def committed(output):
    """Parts that are done."""
    return len(list(Path(f"{output}.parts").glob("part-*.parquet")))


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
