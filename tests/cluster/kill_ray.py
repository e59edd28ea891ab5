"""Ray: of two nodes one is killed with its workers when a third of the parts is done."""

import collections
import os
import signal
import subprocess
import threading

import pyarrow.parquet as pq
import ray
from common import NEZHA, OPTIONS, PART_ROWS, check, committed, scene, wait_for
from nezha_score import finish, plan, score_part
from ray.cluster_utils import Cluster

model, scratch, rows, expected = scene()
output = scratch / "scored.parquet"
parts = plan([rows], output, model, *OPTIONS, *PART_ROWS)
log = scratch / "starts.txt"


def logged(number):
    """A part; that it begins is a line in a file."""
    with open(log, "a") as lines:
        lines.write(f"{number} {os.getpid()}\n")
    return score_part(output, number, "--threads", "1")


def descendants(pid):
    """The processes below one, and itself."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    return [pid, *(below for child in found for below in descendants(int(child)))]


cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
ray.init(address=cluster.address)
task = ray.remote(num_cpus=1, max_retries=-1)(logged)
killed = []


def kill():
    wait_for("a third of the parts", lambda: committed(output) * 3 >= parts)
    raylet = nodes[1].all_processes["raylet"][0].process.pid
    # In the middle of a part.
    wait_for("a worker below the raylet", lambda: len(descendants(raylet)) > 2)
    for pid in reversed(descendants(raylet)):
        try:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        except ProcessLookupError:
            pass


killer = threading.Thread(target=kill)
killer.start()
ray.get([task.remote(number) for number in range(parts)])
killer.join()
ray.shutdown()
cluster.shutdown()
finish(output)
check(expected, pq.read_table(output))
starts = collections.Counter(line.split()[0] for line in log.read_text().splitlines())
twice = sum(1 for count in starts.values() if count > 1)
if not killed or twice == 0:
    raise SystemExit(f"{len(killed)} processes killed, {twice} parts begun twice: the kill proved nothing")
print(f"all rows once, the same bits; {len(killed)} processes killed, {twice} of {parts} parts begun twice")
