"""A corpus over a Spark cluster, part by part: `spark-submit --py-files nezha_score.py spark_parts.py 'in/*' scored model`.

Needs Spark 3 or 4, `nezha` on every executor, and a folder that driver and executors see. Speculation may stay on.
"""

import sys

from nezha_score import finish, plan, score_part
from pyspark.sql import SparkSession


def main(inputs, output, model, *options):
    spark = SparkSession.builder.appName("nezha score").getOrCreate()
    parts = plan([inputs], output, model, *options)
    numbers = spark.sparkContext.parallelize(range(parts), parts)
    numbers.foreach(lambda part: score_part(output, part, "--threads", "1"))
    spark.stop()
    print(finish(output))


if __name__ == "__main__":
    main(*sys.argv[1:])
