"""Ray Data with a checkpoint: the driver is killed when some of the output is there, and started again."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
from common import ROWS, check, scene, wait_for

model, scratch, rows, expected = scene()
output, checkpoint = scratch / "scored", scratch / "checkpoint"
script = Path(sys.path[0]).parents[1] / "examples" / "cluster" / "ray_data.py"
# A file is a block, and a block is what the checkpoint keeps.
folder = scratch / "rows"
folder.mkdir()
for start in range(0, ROWS, 500):
    pq.write_table(pq.read_table(rows).slice(start, 500), folder / f"{start:05}.parquet")
command = [sys.executable, script, folder, output, model, checkpoint]


def written():
    return len(list(output.glob("**/*.parquet")))


driver = subprocess.Popen(command, start_new_session=True)
wait_for("a file of the output", lambda: written() >= 1 or driver.poll() is not None)
survived = driver.poll() is not None
if not survived:
    os.killpg(driver.pid, signal.SIGKILL)
driver.wait()
subprocess.run(["ray", "stop", "--force"], capture_output=True, env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"})
before = written()
subprocess.run(command, check=True)
check(expected, ds.dataset(output, format="parquet").to_table(), bits=False)
if survived:
    raise SystemExit("the driver had ended before it was killed: the kill proved nothing")
print(f"all rows once; killed with {before} files written, {written()} in the end")
