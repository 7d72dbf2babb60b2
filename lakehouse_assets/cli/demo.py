"""The commands `demo` and `dev`: the lake with a simulated retailer, to look at. Not here: the retailer."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import lakehouse_assets
from lakehouse_assets.cli.running import run_lake
from lakehouse_assets.context import Lake, current
from lakehouse_assets.contracts.rest_api import RestApi
from lakehouse_assets.contracts.wording import counted
from lakehouse_assets.credentials import variable
from lakehouse_assets.pages.report import PATH
from lakehouse_assets.settings import settings
from lakehouse_assets.simulation.register import Register
from lakehouse_assets.storage.stores import StorageError

_OUT, _ERR = Console(), Console(stderr=True)
_OTHERS = "has objects that no simulated retailer landed, and what it sells would be among them."


def demo(
    days: Annotated[int, typer.Option(min=1, help="Business days that the simulated retailer has sold on.")] = 60,
) -> None:
    """Land what a simulated retailer sold and was visited for, ask its API, run the lake, and ask some questions."""
    from lakehouse_assets.query import sql as answers  # noqa: PLC0415
    from lakehouse_assets.simulation.retailer import drops, is_its_lake, register_of  # noqa: PLC0415

    lake = current()
    if not is_its_lake(lake):
        fix = "Nothing was landed; name another lake: LAKEHOUSE_ROOT=.demo lakehouse demo."
        msg = f"{lake.settings.root} {_OTHERS} {fix}"
        raise StorageError(msg)
    register = register_of(lake)
    landed = [path for path, data in drops(lake, days, register) if _land_bytes(lake, path, data)]
    _OUT.print(f"The retailer landed {counted(len(landed), 'new drop')} in {lake.store.uri('landing')}.")
    for name, records in _extracted(lake, register):
        _OUT.print(f"Its API gave {counted(records, 'record')} of {name}.")
    code = run_lake(lake)
    for title, tables, sql in questions():
        if {table.full_name for table in lake.registry.tables()} >= tables:
            _OUT.print(f"\n[bold]{title}[/bold]")
            typer.echo(sql)
            typer.echo(answers.as_table(answers.run(lake, sql)))
    if lake.store.stat(PATH):
        _OUT.print(f"\nThe business on one page: {lake.store.uri(PATH)}", soft_wrap=True)
    raise typer.Exit(code)


def dev(port: Annotated[int, typer.Option(help="Port of the UI.")] = 3000) -> None:
    """Start `dagster dev` on this lake: the UI, the sensors, the schedules; a simulated retailer, where it is set."""
    from lakehouse_assets.orchestration.instance import prepare_home  # noqa: PLC0415

    prepare_home(settings())
    if settings().simulation_speed:
        _begin_to_sell()
    workspace = Path(lakehouse_assets.__file__).with_name("workspace.yaml")
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(workspace), "-p", str(port)]
    os.execv(sys.executable, command)  # noqa: S606 - no shell wanted


def questions() -> Iterator[tuple[str, set[str], str]]:
    """Yield example questions, the tables that they are about, and the SQL that answers them."""
    days = """\
SELECT dt, sum(sales) AS sales, sum(returns) AS returns, sum(net) AS net, sum(invoices) AS invoices
FROM gold.daily_sales GROUP BY dt ORDER BY dt DESC LIMIT 5"""
    products = """\
SELECT stock_code, description, sales, units, invoices, round(return_rate, 4) AS return_rate
FROM gold.product_performance ORDER BY sales DESC, stock_code LIMIT 5"""
    reasons = """\
SELECT rule, count(*) AS records FROM (SELECT unnest(rules) AS rule FROM quarantine.sales)
GROUP BY rule ORDER BY records DESC, rule"""
    segments = """\
SELECT customer_segment, count(DISTINCT invoice_no) AS invoices, sum(line_amount) AS sales,
    sum(line_amount - quantity * product_cost) AS margin
FROM gold.sales_enriched WHERE line_type = 'sale' GROUP BY customer_segment ORDER BY sales DESC"""
    visits = """\
SELECT dt, count(DISTINCT session_id) AS visits, count(DISTINCT session_id) FILTER (type = 'cart') AS with_a_cart,
    count(DISTINCT session_id) FILTER (type = 'purchase') AS with_a_purchase
FROM silver.web_events GROUP BY dt ORDER BY dt DESC LIMIT 5"""
    yield "How did the last five days go?", {"gold.daily_sales"}, days
    yield "Which products sell best?", {"gold.product_performance"}, products
    yield "Why are records in quarantine?", {"quarantine.sales"}, reasons
    yield "What did customers of each segment buy, as they and the costs were then?", {"gold.sales_enriched"}, segments
    yield "How many visits of the web shop end with a purchase?", {"silver.web_events"}, visits


def _extracted(lake: Lake, register: Register) -> Iterator[tuple[str, int]]:
    """Ask the retailer's API, which is served meanwhile; yield each feed and its records."""
    from lakehouse_assets.extraction.extract import extract  # noqa: PLC0415 - requests is slow to import
    from lakehouse_assets.simulation.retailer import API_KEY, RetailerApi  # noqa: PLC0415

    asked = [(feed, api) for feed in lake.registry.feeds.values() if isinstance(api := feed.extract, RestApi)]
    with RetailerApi(register=register) as server:
        served = replace(lake, settings=lake.settings.model_copy(update={"api_url": server.address}))
        for feed, api in asked:
            if api.url.startswith("/v1/"):
                if api.auth is not None:
                    os.environ[variable(api.auth.secret)] = API_KEY
                yield feed.name, extract(served, feed).records


def _begin_to_sell() -> None:
    """Start the simulated retailer beside this process; its API is that of the lake."""
    from lakehouse_assets.simulation.retailer import API_KEY, is_its_lake  # noqa: PLC0415

    if settings().is_s3:
        _ERR.print("The simulated retailer sells to a lake in a folder only, and this one is in S3: there is none.")
        return
    if not is_its_lake(current()):
        _ERR.print(f"{settings().root} {_OTHERS} There is no retailer; LAKEHOUSE_SIMULATION_SPEED=0 says so for good.")
        return
    command = [sys.executable, "-m", "lakehouse_assets.simulation"]
    shop = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own; it ends with us
    address = shop.stdout.readline().strip() if shop.stdout else ""
    os.environ["LAKEHOUSE_API_URL"] = address
    os.environ["LAKE_RETAILER_KEY"] = API_KEY
    _OUT.print(
        f"A simulated retailer sells at speed {settings().simulation_speed:g}; its API is {address} "
        f"(`curl -X POST {address}/faults/500` for a fault). LAKEHOUSE_SIMULATION_SPEED=0 is without."
    )


def _land_bytes(lake: Lake, path: str, data: bytes) -> bool:
    if (known := lake.store.stat(path)) and known.size == len(data) and lake.store.read(path) == data:
        return False
    lake.store.replace(path, data)
    return True
