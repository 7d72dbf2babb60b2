"""One Spark job: reads the files that a document names, runs its SQL or its function, writes Parquet.

The same file everywhere. It is shipped alone to a cluster, so it imports nothing of this package: Spark, and Dagster
Pipes if a Dagster run started it. It opens no Delta table and writes none. What it says of an error quotes no value of
the data.

Usage: spark_job.py PLACE DOCUMENT, where PLACE is `sail`, `local` or `cluster`.
"""

import functools
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

CONF = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
"""What has to be set for the results to be those of DuckDB."""
_LOCAL = {
    "spark.ui.enabled": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": str(os.cpu_count() or 2),
    "spark.log.level": "OFF",  # what it would say of a failed task quotes the row
}
_SERVERS: list[Any] = []  # one that nobody refers to stops
_PIPES = "DAGSTER_PIPES_CONTEXT"
_TEXT = 300


class _CodeError(Exception):
    """The SQL or the function cannot be run. What it says is of the code, and of no row."""


def main(place: str, document: str) -> int:
    """Do the job, and write beside its result what became of it. Return the exit code."""
    if place != "cluster":
        _end_with(os.getppid())
    began = time.monotonic()
    spark = session(place)
    if place != "cluster":
        _be_quiet()
    job = json.loads("\n".join(row.value for row in spark.read.text(document).collect()))
    try:
        reporting = _reporting()
    except (ImportError, SyntaxError, TypeError):  # the image has no boto3, or a Python that Pipes does not take
        reporting = nullcontext()
    with reporting as pipes:

        def tell(text: str) -> None:
            if pipes is not None:
                pipes.log.info(f"{job['table']}: {text}")

        try:
            outcome: dict[str, Any] = {"rows": _run(spark, job, tell)}
        except _CodeError as error:
            outcome = {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - whose text may quote a value
            outcome = {"error": f"a value cannot be computed by Spark ({_kind(error)})"}
        outcome["seconds"] = round(time.monotonic() - began, 1)
        tell(", ".join(f"{name}: {value}" for name, value in outcome.items()))
        if pipes is not None:
            pipes.report_custom_message(outcome)
    spark.createDataFrame([(json.dumps(outcome),)], "value string").coalesce(1).write.text(job["outcome"])
    return int("error" in outcome)


def session(place: str) -> Any:  # noqa: ANN401 - of whichever Spark
    """Return a Spark session: of Sail or of a JVM in this process, or of the cluster that runs this."""
    from pyspark.sql import SparkSession  # noqa: PLC0415 - the caller looks at the other names of this file

    if place == "sail":
        from pysail.spark import SparkConnectServer  # noqa: PLC0415

        server = SparkConnectServer("127.0.0.1", 0)
        server.start(background=True)
        found = SparkSession.builder.remote(f"sc://127.0.0.1:{server.listening_address[1]}").getOrCreate()
        _SERVERS.append(server)
        for name, value in CONF.items():
            found.conf.set(name, value)
        return found
    builder = SparkSession.builder
    for name, value in (CONF | (_LOCAL if place == "local" else {})).items():
        builder = builder.config(name, value)
    return (builder.master("local[*]") if place == "local" else builder).getOrCreate()


def _run(spark: Any, job: dict[str, Any], tell: Callable[[str], None]) -> int:  # noqa: ANN401
    tables = {given["name"]: _table(spark, given) for given in job["inputs"]}
    files = sum(len(group["files"]) for given in job["inputs"] for group in given["groups"])
    tell(f"reads {len(job['inputs'])} tables, {files} files")
    result = _of_function(job["function"], tables) if "function" in job else _of_sql(spark, job["sql"], tables)
    result.write.parquet(job["output"])
    return int(spark.read.parquet(job["output"]).count())


def _of_sql(spark: Any, sql: str, tables: Mapping[str, Any]) -> Any:  # noqa: ANN401
    for name, table in tables.items():
        table.createOrReplaceTempView(name)
    try:
        result = spark.sql(sql)
        _ = result.schema  # analyses it, and reads no row
    except Exception as error:  # noqa: BLE001 - of two kinds of Spark
        msg = f"Spark does not take its SQL: {_text(error)}"
        raise _CodeError(msg) from None
    return result


def _of_function(function: Mapping[str, Any], tables: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return what a model's function makes of its tables.

    Its file is loaded under a name that no module has: what of it Spark's workers call is sent to them whole.
    """
    loaded: dict[str, Any] = {"__name__": "shipped", "__file__": function["file"]}
    try:
        exec(compile(function["source"], function["file"], "exec"), loaded)  # noqa: S102 - the lake's own code
    except Exception as error:  # noqa: BLE001 - whatever a file does; no row was read
        msg = f"{function['file']} cannot be loaded: {type(error).__name__}: {_text(error)}"
        raise _CodeError(msg) from None

    def called(of: Callable[[Any], Any]) -> Any:  # noqa: ANN401
        result = loaded[function["name"]](**{name: of(tables[view]) for name, view in function["inputs"].items()})
        if hasattr(result, "write"):
            _ = result.schema  # analyses it
        return result

    try:
        result = called(lambda table: table)
    except Exception as error:  # noqa: BLE001 - whatever a function raises
        raise _CodeError(_failure(function["file"], error, called)) from None
    if not hasattr(result, "write"):
        msg = f"it returns {type(result).__name__}, not a Spark DataFrame"
        raise _CodeError(msg)
    return result


def _failure(file: str, error: Exception, called: Callable[[Callable[[Any], Any]], Any]) -> str:
    """Return the kind of an error, the function's line, and what it says of tables without rows: it quotes none."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    place = f"{file}:{lines[-1]}" if lines else "the computation of its result"
    try:
        called(lambda table: table.limit(0))
    except type(error) as again:
        return f"{_kind(error)} at {place}: {_text(again)}"
    except Exception:  # noqa: BLE001, S110 - only the first error matters
        pass
    return f"{_kind(error)} at {place}"


def _text(error: Exception) -> str:
    return " ".join(str(error).split())[:_TEXT]


def _table(spark: Any, given: dict[str, Any]) -> Any:  # noqa: ANN401
    """Return one version of a table: its files, each with the values of the partition that the log says it is of."""
    from pyspark.sql.functions import col, lit  # noqa: PLC0415
    from pyspark.sql.types import StructType  # noqa: PLC0415
    from pyspark.sql.utils import is_remote  # noqa: PLC0415

    # Only Sail is reached over a connection. It reads no partition from a folder's name, and takes no list for the
    # same list with larger offsets: there the files say their types.
    infer = is_remote()
    schema = StructType.fromJson(given["schema"])
    types = {field.name: field.dataType for field in schema.fields}
    stored = StructType([field for field in schema.fields if field.name not in given["partitioned_by"]])
    groups = given["groups"]
    if not infer and groups and all(_is_named_so(given["folder"], group) for group in groups):
        # In one go: a thousand dates, each a part of a union, take a JVM longer to plan than to read.
        files = [file for group in groups for file in group["files"]]
        placed = StructType([*stored.fields, *(field for field in schema.fields if field not in stored.fields)])
        frame = spark.read.schema(placed).option("basePath", given["folder"]).parquet(*files)
        return frame.select(*given["columns"])
    frames = []
    for group in groups:
        frame = (spark.read if infer else spark.read.schema(stored)).parquet(*group["files"])
        there = {name: col(name) for name in frame.columns} | {n: lit(v) for n, v in group["values"].items()}
        # A file is as old as its columns: one that it lacks is null.
        frames.append(frame.select(*(there.get(n, lit(None)).cast(types[n]).alias(n) for n in given["columns"])))
    if not frames:
        return spark.createDataFrame([], schema).select(*given["columns"])
    return functools.reduce(lambda one, other: one.unionByName(other), frames)


def _is_named_so(folder: str, group: dict[str, Any]) -> bool:
    """Return whether the folders of a group's files say its partition, as Hive names them: Spark reads it there."""
    named = "".join(f"{name}={value}/" for name, value in group["values"].items())
    return None not in group["values"].values() and all(file.startswith(f"{folder}/{named}") for file in group["files"])


def _kind(error: Exception) -> str:
    """Return the name of an error and its condition in Spark, which quote nothing."""
    condition = getattr(error, "getCondition", lambda: None)()
    return f"{type(error).__name__} {condition}" if condition else type(error).__name__


def _reporting() -> Any:  # noqa: ANN401
    """Return a context of Dagster Pipes, where a Dagster run waits for messages and can be reached."""
    if _PIPES not in os.environ:
        return nullcontext()
    from dagster_pipes import (  # noqa: PLC0415 - shipped with this file, where Dagster runs it
        PipesEnvVarParamsLoader,
        PipesS3MessageWriter,
        open_dagster_pipes,
    )

    loader = PipesEnvVarParamsLoader()  # type: ignore[no-untyped-call]
    if "bucket" not in loader.load_messages_params():
        return open_dagster_pipes()
    import boto3  # noqa: PLC0415 - of the cluster's image

    return open_dagster_pipes(message_writer=PipesS3MessageWriter(boto3.client("s3"), interval=2))


def _be_quiet() -> None:
    """Show nothing more of what is printed: errors of Spark quote rows."""
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - for its number
        for descriptor in (1, 2):
            os.dup2(nothing.fileno(), descriptor)


def _end_with(parent: int) -> None:
    """End this process soon after the one that started it: nobody would read the result."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    sys.stdout.flush()
    if sys.argv[1] == "cluster":
        sys.exit(code)
    os._exit(code)  # the servers of Sail and of the JVM end with this process, and need no longer goodbye
