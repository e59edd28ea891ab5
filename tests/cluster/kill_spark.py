"""Spark: of two executors of local-cluster one is killed in mapInArrow."""

import os
import signal
import subprocess
import threading

import pyarrow.dataset as ds
from common import ROWS, check, scene, wait_for
from nezha_score import map_in_arrow
from pyspark.sql import SparkSession

model, scratch, rows, expected = scene()
output = scratch / "scored"
builder = SparkSession.builder.master("local-cluster[2,1,1024]")
builder = builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", "256")
builder = builder.config("spark.executorEnv.NEZHA", os.environ["NEZHA"])
builder = builder.config("spark.executorEnv.PYTHONPATH", os.environ["PYTHONPATH"])
spark = builder.getOrCreate()
killed = []


def executors():
    found = subprocess.run(["pgrep", "-f", "CoarseGrainedExecutorBackend"], capture_output=True, text=True)
    ours = subprocess.run(["pgrep", "-P", str(os.getpid())], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split() if pid not in ours.stdout.split()]


def scorers():
    return subprocess.run(["pgrep", "-f", "score --stream"], capture_output=True, text=True).stdout.split()


def kill():
    wait_for("two scorers at work", lambda: len(scorers()) >= 2)
    pid = executors()[0]
    os.kill(pid, signal.SIGKILL)
    killed.append(pid)


killer = threading.Thread(target=kill)
killer.start()
table = spark.read.parquet(str(rows)).repartition(16)
schema = "id long, text string, label string, score float, truncated boolean, error string"
table.mapInArrow(map_in_arrow(model, "text", "--engine", "tract", "--threads", "1"), schema).write.parquet(str(output))
killer.join()
spark.stop()
check(expected, ds.dataset(output, format="parquet").to_table(), bits=False)
print(f"all {ROWS} rows once; executor {killed[0]} killed")
