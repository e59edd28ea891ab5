"""A column of answers inside a Ray Data pipeline: `python ray_data.py in.parquet scored model checkpoint 8 8192`.

Needs Ray 2.60 with ray[data], and on every node nezha_onnx or `nezha`. Ray reads, writes and commits; with a checkpoint
(a unique column `id`) a driver that is killed goes on when it is started again: what it keeps are whole blocks, of
8,192 rows here.
"""

import sys

import ray
from nezha_score import scorer


class Score:
    def __init__(self, model):
        self.scorer = scorer(model, "text", threads=1)

    def __call__(self, table):
        return self.scorer(table)


def main(source, target, model, checkpoint=None, workers=1, block_rows=8192):
    # Listing, reading, the checkpoint's filter and writing need cores beside the workers'.
    ray.init(ignore_reinit_error=True)
    if checkpoint is not None:
        from ray.data.checkpoint import CheckpointConfig

        context = ray.data.DataContext.get_current()
        context.checkpoint_config = CheckpointConfig(id_column="id", checkpoint_path=checkpoint)
    rows = ray.data.read_parquet(source).repartition(target_num_rows_per_block=int(block_rows))
    scored = rows.map_batches(
        Score, fn_constructor_args=[model], batch_format="pyarrow", batch_size=256, concurrency=int(workers), num_cpus=1
    )
    scored.write_parquet(target)


if __name__ == "__main__":
    main(*sys.argv[1:7])
