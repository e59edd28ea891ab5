"""A corpus over a Dask cluster, part by part: `python dask_parts.py 'in/*.parquet' scored model`, behind that options of
`nezha score plan`.

Needs dask[distributed], `nezha` on every worker, and a folder that all of them see. DASK_SCHEDULER_ADDRESS says where the
scheduler is; without it, this machine is the cluster.
"""

import sys

import nezha_score
from dask.distributed import Client, as_completed
from nezha_score import finish, plan, score_part


def main(inputs, output, model, *options):
    parts = plan([inputs], output, model, *options)
    with Client() as client:
        client.upload_file(nezha_score.__file__)
        # A part is a function of the plan and its number, so that any number of attempts is safe.
        numbers = range(parts)
        futures = [client.submit(score_part, str(output), number, "--threads", "1", retries=5) for number in numbers]
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()
            print(f"{done} of {parts} parts", file=sys.stderr)
    print(finish(output))


if __name__ == "__main__":
    main(*sys.argv[1:])
