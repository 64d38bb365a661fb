"""Spark Structured Streaming in an environment of its own: counts by key from topic to topic, over a restart.

Arguments: bootstrap server, a name nobody else uses, a folder for checkpoints, the jars of the connector. JSON lines.
"""

from __future__ import annotations

import json
import sys

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import col, count, lit


def tell(step: str, outcome: object) -> None:
    print(json.dumps({"step": step, "outcome": outcome}), flush=True)


def main() -> None:
    bootstrap, name, folder, jars = sys.argv[1:5]
    spark = (
        SparkSession.builder.master("local[2]").appName(name).config("spark.jars", jars)
        .config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2")
        .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1").getOrCreate()
    )  # fmt: skip
    spark.sparkContext.setLogLevel("ERROR")
    kafka = {"kafka.bootstrap.servers": bootstrap}

    def write(first: int, last: int) -> None:
        rows = [(f"k{n % 4}", str(n)) for n in range(first, last)]
        frame = spark.createDataFrame(rows, "key string, value string")
        frame.write.format("kafka").options(**kafka, topic=f"{name}-in").save()

    def read(topic: str) -> DataFrame:
        return spark.read.format("kafka").options(**kafka, subscribe=topic, startingOffsets="earliest").load()

    def counted() -> dict[str, int]:
        """Run the stream over what there is; the last count of each key in the output topic."""
        stream = (
            spark.readStream.format("kafka").options(**kafka, subscribe=f"{name}-in", startingOffsets="earliest").load()
            .groupBy(col("key")).agg(count(lit(1)).cast("string").alias("value"))
            .writeStream.format("kafka").options(**kafka, topic=f"{name}-out", checkpointLocation=folder)
            .outputMode("update").trigger(availableNow=True).start()
        )  # fmt: skip
        stream.awaitTermination(120)
        rows = read(f"{name}-out").orderBy("partition", "offset").collect()
        return {bytes(row.key).decode(): int(bytes(row.value)) for row in rows}

    write(0, 40)
    tell("batch-read", [read(f"{name}-in").count(), read(f"{name}-in").select("key").distinct().count()])
    tell("counts", counted())
    write(40, 60)
    tell("counts-go-on", counted())
    spark.stop()


if __name__ == "__main__":
    main()
