"""A corpus over a Ray cluster, part by part: `python ray_parts.py 'share/in/*.parquet' share/scored share/model`, behind that
options of `nezha score plan`.

Needs Ray 2.60, `nezha` on every node, and a folder that all nodes see; RAY_ADDRESS says where the cluster is. A lost node
costs the parts that were under way there; a lost driver costs nothing but its start: run it again.
"""

import sys

import ray
from nezha_score import finish, plan, score_part


def main(inputs, output, model, *options):
    parts = plan([inputs], output, model, *options)
    ray.init(ignore_reinit_error=True)
    # A part is a function of the plan and its number, so that any number of attempts is safe.
    task = ray.remote(num_cpus=1, max_retries=-1, retry_exceptions=[OSError])(score_part)
    waiting = [task.remote(str(output), part, "--threads", "1") for part in range(parts)]
    while waiting:
        done, waiting = ray.wait(waiting, num_returns=1)
        ray.get(done)
        print(f"{parts - len(waiting)} of {parts} parts", file=sys.stderr)
    print(finish(output))


if __name__ == "__main__":
    main(*sys.argv[1:])
