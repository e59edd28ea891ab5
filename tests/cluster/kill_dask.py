"""Dask: of two workers one is killed when a third of the parts is done."""

import os
import signal
import threading

import pyarrow.parquet as pq
from common import OPTIONS, PART_ROWS, check, committed, scene, wait_for
from dask.distributed import Client, LocalCluster
from nezha_score import finish, plan, score_part


def main():
    model, scratch, rows, expected = scene()
    output = scratch / "scored.parquet"
    parts = plan([rows], output, model, *OPTIONS, *PART_ROWS)
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    client = Client(cluster)
    killed = []

    def kill():
        wait_for("a third of the parts", lambda: committed(output) * 3 >= parts)
        pid = next(iter(cluster.workers.values())).pid
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    futures = [client.submit(score_part, str(output), part, "--threads", "1", retries=5) for part in range(parts)]
    client.gather(futures)
    killer.join()
    client.close()
    cluster.close()
    finish(output)
    check(expected, pq.read_table(output))
    print(f"all rows once, the same bits, in {parts} parts; worker {killed[0]} killed")


if __name__ == "__main__":
    main()
