"""Spark: of two executors of `local-cluster[2,1,1024]` one is killed in mapInArrow when 30 % of the tasks are done."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pyarrow.dataset as ds
import pyspark
from common import EXAMPLES, FILES, SHARE, Scene, check, descendants, ended, kill, wait_for

EXECUTOR = b"CoarseGrainedExecutorBackend"
scene = Scene()
output, events = scene.scratch / "scored", scene.scratch / "events"
events.mkdir()
settings = {
    # A file is a task.
    "spark.sql.files.openCostInBytes": 128 << 20,
    "spark.executorEnv.NEZHA": os.environ["NEZHA"],
    "spark.eventLog.enabled": "true",
    "spark.eventLog.dir": events.as_uri(),
    "spark.eventLog.compress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
}
command = [Path(pyspark.__file__).parent / "bin" / "spark-submit", "--master", "local-cluster[2,1,1024]"]
for name, value in settings.items():
    command += ["--conf", f"{name}={value}"]
command += ["--py-files", EXAMPLES / "nezha_score.py", EXAMPLES / "spark_arrow.py", scene.folder, output, scene.model]
if "JAVA_HOME" not in os.environ and shutil.which("java") is None:
    raise SystemExit("Spark needs Java 17 or 21: `apt-get install openjdk-17-jre-headless`, or JAVA_HOME")
driver = subprocess.Popen([str(it) for it in command])


def tasks_done():
    """Spark moves a task's files to the output's when it commits."""
    return len(list(output.glob("_temporary/0/task_*")))


def executors():
    """Java processes below the driver's; a Python worker's command line has no such name."""
    found = []
    for pid in descendants(driver.pid):
        try:
            if EXECUTOR in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except OSError:
            pass
    return found


def attempts():
    """Tasks that Spark started, by stage and number."""
    lines = [line for log in events.glob("**/*") if log.is_file() for line in log.read_text().splitlines()]
    started = [json.loads(line) for line in lines if "SparkListenerTaskStart" in line]
    return [(it["Stage ID"], it["Task Info"]["Index"]) for it in started]


wait_for("30 % of the tasks", lambda: tasks_done() >= SHARE * FILES, driver)
done = tasks_done()
victim = executors()[0]
kill(reversed(descendants(victim)))
ended(driver)
check(scene.expected, ds.dataset(output, format="parquet").to_table(), bits=False)
started = attempts()
twice = len(started) - len(set(started))
if twice == 0:
    raise SystemExit("no task was started twice: the kill proved nothing")
print(f"every row once; an executor killed with {done} of {FILES} tasks done, {twice} tasks started twice")
