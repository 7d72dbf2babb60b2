"""Spark in a process of its own, run by the Python of `.venv/spark`: `spark_process.py sail|jvm`.

It imports nothing of the project. Each line of its input is a JSON object: `views` (Parquet file by name), `sql`, and
`to`, the Parquet file to write. Each line of its output is the answer: null, or what went wrong.
"""

import json
import sys
from typing import Any

import pyarrow.parquet as pq
from pyspark.sql import SparkSession


def session(engine: str) -> tuple[Any, Any]:
    """Return a session of Sail, served by this process, or of Spark in a virtual machine; and what has to be kept."""
    server = None
    if engine == "sail":
        from pysail.spark import SparkConnectServer

        server = SparkConnectServer(ip="127.0.0.1", port=0)
        server.start(background=True)
        spark = SparkSession.builder.remote(f"sc://127.0.0.1:{server.listening_address[1]}").getOrCreate()
    else:
        options = {
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "1",
            "spark.default.parallelism": "1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
        }
        builder = SparkSession.builder.master("local[1]")
        for name, value in options.items():
            builder = builder.config(name, value)
        spark = builder.getOrCreate()
        spark.sparkContext.setLogLevel("OFF")
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    return spark, server


def main() -> None:
    """Answer until the input ends."""
    spark, _server = session(sys.argv[1])
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            for name, file in asked["views"].items():
                spark.read.parquet(file).createOrReplaceTempView(name)
            pq.write_table(spark.sql(asked["sql"]).toArrow(), asked["to"])
            answer = None
        except Exception as error:  # noqa: BLE001 - the test is told
            answer = f"{type(error).__name__}: {error}"
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    spark.stop()


if __name__ == "__main__":
    main()
