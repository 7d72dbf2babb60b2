"""The examples of docs/alerts.md: a rejected object, a held date, a failing run, and what is told when they are over.

Each is made by a run and read where it arrives. Run ids, times, event ids and folders are as in the page.
"""

import re
from collections.abc import Callable

import pytest

from lakehouse_assets.alerts.channels import Channel
from lakehouse_assets.alerts.sns import Topic
from lakehouse_assets.alerts.telling import tell
from lakehouse_assets.settings import PROJECT
from lakehouse_assets_tests.alerts.conftest import Shop, Told
from lakehouse_assets_tests.retail import land

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
_EXAMPLE = re.compile(r"<!-- example: ([a-z0-9 ,-]+) -->\n```[a-z]*\n(.*?)```", re.DOTALL)
_SAME = {
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b": "RUN",
    r"\b\d+-[0-9a-f]{8}\b": "ID",
    r"\b20(?!11)\d\d-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(\.\d+)?(\+00:00)?": "TIME",
    r"\b[0-9a-f]{12}\b": "FINGERPRINT",
}


def comparable(text: str, lake: str = "/srv/lake") -> str:
    for pattern, name in _SAME.items():
        text = re.sub(pattern, name, text.replace(lake, "/srv/lake"))
    return text.strip()


def test_the_examples_of_the_page_are_what_arrives(shop: Shop, topic: Callable[..., Told]) -> None:
    told = topic()
    channels: list[Channel] = [Topic(told.arn)]
    found: dict[str, str] = {}

    def tick(**named: str) -> None:
        """Tell, and keep the messages whose subject holds a text, by the name of their example."""
        _, failed = tell(shop.lake, shop.instance, channels, 0)
        assert failed == []
        mails = told.read()
        for name, words in named.items():
            [mail] = [mail for mail in mails if words in mail["Subject"]]
            found[f"sns {name}"] = f"Subject: {mail['Subject']}\n\n{mail['Message']}"

    tick()
    shop.land("march.csv", "1,a,2,01/03/2011,1.50", "2,a,x,02/03/2011,1.50")
    land(shop.lake, "april.csv", b"", "orders")
    shop.run("count(no_such_column)")
    tick(rejected="rejected", held="held by the gate", failed="gold.totals 2011-03-01: run failed")
    shop.land("march.csv", "1,a,2,01/03/2011,1.50", "2,a,5,02/03/2011,1.50")
    shop.run()
    tick(open="no longer held")

    page = (PROJECT / "docs" / "alerts.md").read_text(encoding="utf-8")
    examples = {name: comparable(text) for name, text in _EXAMPLE.findall(page)}
    assert {name: comparable(text, shop.lake.settings.root) for name, text in found.items()} == examples
