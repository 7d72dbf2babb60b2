"""The retailer's demo on AWS, emulated on this machine: `make demo-aws`, or `python -m deploy.demo_aws [--days 10]`."""

import argparse
import datetime as dt
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.console import Console

from deploy.demo_aws.account import Account, land, set_up
from deploy.demo_aws.files import files
from deploy.demo_aws.look import Held, look, waiting
from deploy.demo_aws.roles import make_user, policy
from lakehouse_assets_tests.aws_emulator import COMMAND, AwsEmulator

_OUT = Console(soft_wrap=True, highlight=False)
_SQL = """\
SELECT dt, sum(sales) AS sales, sum(returns) AS returns, sum(net) AS net, sum(invoices) AS invoices
FROM gold.daily_sales GROUP BY dt ORDER BY dt"""
_SERVICES = {
    "S3": "ministack; files landed here, and the tables of the lake",
    "SQS": "ministack; S3 really delivers its events, and the lake works on them",
    "Glue": "ministack; it keeps tables as Glue does, and nothing reads them here",
    "SNS": "ministack; it delivers to a queue that is subscribed to errors",
    "EventBridge": "ministack; a rule delivers to a queue",
    "DynamoDB": "ministack; the error log, and the rows of served gold tables",
    "CloudWatch": "ministack; metrics",
    "Athena": "nothing: the emulated one reads Parquet and no Delta tables, so LAKEHOUSE_ATHENA_WORKGROUP is not set",
    "IAM": "ministack; it enforces signatures and the policies of deploy/policies, which are all that the lake may do",
    "Dagster's daemon": "one process that ticks the lake's sensors and executes their runs, until nothing is left",
}


def main() -> int:
    """Show the lake on an emulated account; the exit code is 1 if something did not go as it is to."""
    parser = argparse.ArgumentParser(prog="python -m deploy.demo_aws", description=__doc__)
    parser.add_argument("--days", type=int, default=10, help="business days that the simulated retailer has sold on")
    days = parser.parse_args().days
    if days < 1:
        parser.error("--days is at least 1")
    if not COMMAND.exists():
        _OUT.print(
            "The AWS emulator is not installed, so nothing was shown; see what `make .venv/aws-emulator` says, "
            "or use `make demo`, which needs none."
        )
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="demo-aws-") as folder,
        AwsEmulator(Path(folder), is_enforcing=True) as emulator,
    ):
        return _show(emulator, Path(folder), days)


def _show(emulator: AwsEmulator, folder: Path, days: int) -> int:
    begun = time.monotonic()
    account = set_up(emulator.client, "lakedemo")
    lake = make_user(emulator.client, "lake", policy("run", account), policy("sensors", account))
    environment = account.environment(emulator.environment | lake, folder / "dagster")
    _title("An account on this machine. What the lake knows of it")
    for name, value in account.settings.items():
        _say(f"{name}={value}")

    _title("Files land in S3, and S3 tells the queue")
    landed = files(days, dt.datetime.now(dt.UTC).date())
    land(emulator.client, account, landed)
    _say(f"{len(landed)} files; {sum(waiting(emulator.client, account.queue))} messages wait")

    _title("The lake's sensors and runs")
    code = subprocess.run([sys.executable, "-m", "deploy.demo_aws.daemon"], env=environment, check=False).returncode
    if code:
        return code

    _title("gold.daily_sales, by `lakehouse query`")
    query = [str(Path(sys.executable).with_name("lakehouse")), "query", _SQL]
    code = subprocess.run(query, env=environment, check=False).returncode

    _services(look(emulator.client, account), account)
    _title("Who played which part")
    for name, what in _SERVICES.items():
        _say(f"{name}: {what}")
    _say(f"\nNothing left this machine, and nothing of it is kept. {time.monotonic() - begun:.0f} s.")
    return code


def _services(held: Held, account: Account) -> None:
    """Print what each service holds."""
    _title("SQS: the queue of arrivals")
    waits, in_flight = held.arrivals
    _say(f"{waits} messages wait, {in_flight} are in flight, {held.dead_letters} in the dead-letter queue")
    _title("Glue: tables")
    for database, tables in held.glue.items():
        _say(f"{database}: {', '.join(sorted(table['Name'] for table in tables))}")
    _title("SNS: what the queue received that is subscribed to errors")
    for message in held.on_call:
        _say(f"{message['Message'].strip()}\n")
    _title("EventBridge: events that the rule delivered, by kind")
    _say(", ".join(f"{kind} {count}" for kind, count in Counter(e["detail-type"] for e in held.events).items()))
    _title(f"DynamoDB: items of the table {account.settings['LAKEHOUSE_ERRORS_TABLE']}")
    for error in held.errors:
        _say(f"{error['state']} {error['id']} {error['kind']}: {error['cause']}")
    _title(f"DynamoDB: rows served from the table {account.settings['LAKEHOUSE_SERVING_TABLE']}, by key")
    for series, count in Counter(item["_series"]["S"] for item in held.served).items():
        _say(f"{series}: {count} dates")
    _title(f"CloudWatch: metrics in the namespace {account.name}")
    for asset in sorted({asset for asset, _ in held.metrics}):
        figures = {name: total for (of, name), total in held.metrics.items() if of == asset}
        _say(f"{asset}: {', '.join(f'{name} {total:,.10g}' for name, total in sorted(figures.items()))}")


def _title(text: str) -> None:
    _OUT.print(f"\n{text}", style="bold", markup=False)


def _say(text: str) -> None:
    _OUT.print(text, markup=False)


if __name__ == "__main__":
    sys.exit(main())
