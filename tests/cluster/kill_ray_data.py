"""Ray Data with a checkpoint: the driver is killed with all that it started when 30 % of the output is there, and started
again."""

import pyarrow.dataset as ds
from common import FILES, ROWS, SHARE, Scene, check, descendants, ended, example, kill, wait_for

scene = Scene()
output, checkpoint = scene.scratch / "scored", scene.scratch / "checkpoint"
arguments = ["ray_data.py", scene.folder, output, scene.model, checkpoint, 1, ROWS // FILES]


def written():
    return len(list(output.glob("**/*.parquet")))


driver = example(*arguments)
wait_for("30 % of the output", lambda: written() >= SHARE * FILES, driver)
kill(reversed(descendants(driver.pid)))
driver.wait()
before = written()
ended(example(*arguments))
check(scene.expected, ds.dataset(output, format="parquet").to_table(), bits=False)
if before == 0 or before >= FILES:
    raise SystemExit(f"the driver was killed with {before} files written: the kill proved nothing")
print(f"every row once; the driver killed with {before} files written, {written()} in the end")
