"""Ray: of two nodes one is killed with its workers when 30 % of the parts are done."""

import os

import pyarrow.parquet as pq
from common import OPTIONS, PART_ROWS, PARTS, SHARE, Counted, Scene, check, committed, descendants, ended, example, kill, wait_for
from ray.cluster_utils import Cluster

scene = Scene()
counted = Counted(scene.scratch)
output = scene.scratch / "scored.parquet"
# The nodes' processes, and with them the workers, have the environment of this one.
os.environ.update(counted.variables())
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
driver = example(
    "ray_parts.py", scene.rows, output, scene.model, *OPTIONS, *PART_ROWS, variables=counted.variables(RAY_ADDRESS=cluster.address)
)
wait_for("30 % of the parts", lambda: committed(output) >= SHARE * PARTS, driver)
raylet = nodes[1].all_processes["raylet"][0].process.pid


def scorer():
    """A part's process below the raylet, which is then in the middle of it."""
    return [pid for pid in descendants(raylet) if b"score\0part" in command(pid)]


def command(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as line:
            return line.read()
    except OSError:
        return b""


wait_for("a part under way on the node", scorer, driver)
done = committed(output)
killed = kill(reversed(descendants(raylet)))
ended(driver)
cluster.shutdown()
check(scene.expected, pq.read_table(output))
twice = counted.parts_begun_twice()
if not killed or twice == 0:
    raise SystemExit(f"{len(killed)} processes killed, {twice} parts begun twice: the kill proved nothing")
print(
    f"every row once, the same bits; the node's {len(killed)} processes killed with {done} of {PARTS} parts done, "
    f"{twice} begun twice"
)
