"""Ray Data with a checkpoint: the driver is killed when 30 % of the output is there, and started again on the same
cluster."""

import os

import pyarrow.dataset as ds
from common import FILES, ROWS, SHARE, Scene, check, ended, example, kill, wait_for
from ray.cluster_utils import Cluster

scene = Scene()
# Cores as Ray counts them: listing, the checkpoint's filter, the model and writing take one each.
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 4})
variables = {**os.environ, "RAY_ADDRESS": cluster.address}
output, checkpoint = scene.scratch / "scored", scene.scratch / "checkpoint"
arguments = ["ray_data.py", scene.folder, output, scene.model, checkpoint, 1, ROWS // FILES]


def written():
    return len(list(output.glob("**/*.parquet")))


driver = example(*arguments, variables=variables)
wait_for("30 % of the output", lambda: written() >= SHARE * FILES, driver)
kill([driver.pid])
driver.wait()
before = written()
ended(example(*arguments, variables=variables))
cluster.shutdown()
check(scene.expected, ds.dataset(output, format="parquet").to_table(), bits=False)
if before == 0 or before >= FILES:
    raise SystemExit(f"the driver was killed with {before} files written: the kill proved nothing")
print(f"every row once; the driver killed with {before} files written, {written()} in the end")
