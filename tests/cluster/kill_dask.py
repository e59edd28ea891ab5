"""Dask: of two workers one is killed when 30 % of the parts are done."""

import os

import pyarrow.parquet as pq
from common import OPTIONS, PART_ROWS, PARTS, SHARE, Counted, Scene, check, committed, descendants, ended, example, kill, wait_for
from dask.distributed import LocalCluster


def main():
    scene = Scene()
    counted = Counted(scene.scratch)
    output = scene.scratch / "scored.parquet"
    # The workers have the environment of this process.
    os.environ.update(counted.variables())
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    variables = counted.variables(DASK_SCHEDULER_ADDRESS=cluster.scheduler_address)
    driver = example("dask_parts.py", scene.rows, output, scene.model, *OPTIONS, *PART_ROWS, variables=variables)
    wait_for("30 % of the parts", lambda: committed(output) >= SHARE * PARTS, driver)
    worker = next(iter(cluster.workers.values())).pid
    wait_for("a part under way in the worker", lambda: len(descendants(worker)) > 1, driver)
    done = committed(output)
    kill(reversed(descendants(worker)))
    ended(driver)
    cluster.close()
    check(scene.expected, pq.read_table(output))
    twice = counted.parts_begun_twice()
    if twice == 0:
        raise SystemExit("no part was begun twice: the kill proved nothing")
    print(f"every row once, the same bits; a worker killed with {done} of {PARTS} parts done, {twice} begun twice")


if __name__ == "__main__":
    main()
