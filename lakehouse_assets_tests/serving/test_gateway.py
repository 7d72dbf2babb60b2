"""The document for an API Gateway: committed as it is made, and its templates, run for real, answer as `serve` does."""

import json
from typing import Any

import airspeed
import boto3
import pytest

from lakehouse_assets.context import Lake
from lakehouse_assets.lake_settings import PROJECT
from lakehouse_assets.serving.dynamodb import DynamoDbServing
from lakehouse_assets.serving.gateway import gateway_document
from lakehouse_assets.serving.lake_source import LakeSource
from lakehouse_assets.serving.rows import served
from lakehouse_assets_tests.conftest import lake_at
from lakehouse_assets_tests.serving.conftest import DAYS, TABLE
from lakehouse_assets_tests.serving.test_http import server

INTEGRATION = "x-amazon-apigateway-integration"


def test_the_committed_document_is_that_of_the_project() -> None:
    committed = json.loads((PROJECT / "deploy" / "serving_api.json").read_text(encoding="utf-8"))
    made = gateway_document(served(lake_at("/nowhere")))
    assert committed == made, "write it anew: lakehouse serve --gateway > deploy/serving_api.json"


def test_each_route_asks_for_a_key_and_names_the_parameters_of_cloudformation() -> None:
    found = gateway_document(served(lake_at("/nowhere")))
    assert found["security"] == [{"key": []}]
    for path in found["paths"].values():
        said = path["get"][INTEGRATION]
        assert said["credentials"] == {"Fn::Sub": "${ServingRoleArn}"}
        [asked] = said["requestTemplates"].values()
        assert asked["Fn::Sub"].count("${") == asked["Fn::Sub"].count("${ServingTable}") == 1


class Text(str):
    """A text as the templates use it: with the methods of Java's, whose language they call."""

    __slots__ = ()

    def replaceAll(self, old: str, new: str) -> "Text":  # noqa: N802 - as in Java
        return Text(str.replace(self, old, new))  # airspeed has taken the escape of the expression away

    def replace(self, old: str, new: str) -> "Text":  # type: ignore[override]
        return Text(str.replace(self, old, new))

    def substring(self, begin: int, end: int | None = None) -> "Text":
        return Text(self[begin:end])

    def length(self) -> int:
        return len(self)


def as_java(value: Any) -> Any:
    """Return an answer of DynamoDB with such texts in it."""
    match value:
        case dict():
            return {as_java(name): as_java(inner) for name, inner in value.items()}
        case list():
            return [as_java(inner) for inner in value]
        case str():
            return Text(value)
        case _:
            return value


class Input:
    """`$input` of a request or of an answer."""

    def __init__(self, parameters: dict[str, str], query: dict[str, str], answer: Any = None) -> None:
        self._parameters, self._query, self._answer = as_java(parameters | query), as_java(query), as_java(answer)

    def params(self, name: str | None = None) -> Any:
        return {"querystring": self._query} if name is None else self._parameters.get(name, Text())

    def path(self, _: str) -> Any:
        return self._answer


class Util:
    """`$util` of the gateway."""

    def escapeJavaScript(self, text: str) -> Text:  # noqa: N802 - as the gateway has it
        return Text(json.dumps(text)[1:-1].replace("'", "\\'"))


class Gateway:
    """What an API Gateway makes of a request, with the templates of the document and a real query of DynamoDB."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._paths = document["paths"]

    def get(self, name: str | None, **query: str) -> dict[str, Any]:
        path = "/metrics" if name is None else "/metrics/{metric_name}"
        said = self._paths[path]["get"][INTEGRATION]
        parameters = {} if name is None else {"metric_name": name}
        template = said["requestTemplates"]["application/json"]["Fn::Sub"].replace("${ServingTable}", TABLE)
        asked = json.loads(self._rendered(template, Input(parameters, query)))
        found = boto3.client("dynamodb").query(**asked)
        template = said["responses"]["default"]["responseTemplates"]["application/json"]
        answered: dict[str, Any] = json.loads(self._rendered(template, Input({}, {}, found)))
        return answered

    def _rendered(self, template: str, given: Input) -> str:
        return str(airspeed.Template(template).merge({"input": given, "util": Util()}))


@pytest.mark.slow
@pytest.mark.usefixtures("db")
def test_the_templates_answer_as_serve_does(shop: Lake) -> None:
    DynamoDbServing(TABLE).refresh(shop)
    gateway = Gateway(gateway_document(served(shop)))
    asked: list[tuple[str | None, dict[str, str]]] = [
        (None, {}),
        ("units", {}),
        ("units", {"from": DAYS[1]}),
        ("units", {"from": DAYS[1], "to": DAYS[1]}),
        ("sales_by_country", {}),
        ("sales_by_country", {"country": "France"}),
        ("sales_by_country", {"country": "United Kingdom", "currency": "GBP", "to": DAYS[1]}),
        ("sales_by_country", {"country": "Nowhere"}),
        ("sales_by_country", {"country": 'it\'s "odd" \\ {}'}),
    ]
    with server(shop, LakeSource(shop)) as get:
        for name, query in asked:
            path = "/metrics" + (f"/{name}" if name else "")
            status, body = get(path, **{f"{n}_" if n == "from" else n: v for n, v in query.items()})
            assert status == 200
            assert gateway.get(name, **query) == json.loads(body), (name, query)
        for name in (None, "units", "sales_by_country"):
            path = "/metrics" + (f"/{name}" if name else "")
            whole = json.loads(get(path)[1])["rows"]
            found: list[dict[str, Any]] = []
            after: str | None = ""
            while after is not None:
                page = gateway.get(name, limit="2", after=after)
                assert len(page["rows"]) <= 2
                found, after = found + page["rows"], page["next"]
            assert found == whole
    assert gateway.get("no such metric") == {"rows": [], "next": None}
