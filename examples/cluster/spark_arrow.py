"""A column of answers in Spark: `spark-submit --py-files nezha_score.py spark_arrow.py in.parquet scored model`.

Needs Spark 4 with pyarrow, and on every executor the model and nezha_onnx or `nezha`. Spark commits the output when the job ends: a
lost executor's tasks are done again; a lost driver loses the job, so make a job of a day's partition, or use parts.
"""

import sys

from nezha_score import map_in_arrow
from pyspark.sql import SparkSession


def main(source, target, model):
    builder = SparkSession.builder.appName("nezha score")
    spark = builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", "8192").getOrCreate()
    rows = spark.read.parquet(source)
    fields = ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in rows.schema)
    schema = f"{fields}, label string, score float, truncated boolean, error string"
    scored = rows.mapInArrow(map_in_arrow(model, "text", threads=1), schema)
    scored.write.mode("overwrite").parquet(target)
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:4])
