"""A corpus over a Dask cluster, part by part: `python dask_parts.py 'in/*.parquet' scored model [SCHEDULER]`.

Needs dask[distributed], `nezha` on every worker, and a folder that all of them see.
"""

import sys

from dask.distributed import Client, LocalCluster, as_completed
from nezha_score import finish, plan, score_part


def main(inputs, output, model, scheduler=None, options=()):
    parts = plan([inputs], output, model, *options)
    cluster = scheduler or LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with Client(cluster) as client:
        futures = [client.submit(score_part, str(output), part, "--threads", "1", retries=5) for part in range(parts)]
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()
            print(f"{done} of {parts} parts", file=sys.stderr)
    print(finish(output))


if __name__ == "__main__":
    main(*sys.argv[1:5])
