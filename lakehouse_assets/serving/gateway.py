"""The OpenAPI document of the served tables as an Amazon API Gateway in front of DynamoDB takes it.

Each route is one query of the table, written in the gateway's template language, so that no program runs. The table and
the role are parameters of CloudFormation (`Fn::Sub`): `ServingTable` and `ServingRoleArn`. Not here: answering locally.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from lakehouse_assets.contracts.declare import ContractError
from lakehouse_assets.serving.items import BY_NAME, DATE, NAME, PLACE, SERIES
from lakehouse_assets.serving.openapi import document
from lakehouse_assets.serving.questions import DEFAULT_LIMIT
from lakehouse_assets.serving.rows import RESERVED, Served

_LAST = "9999-12-31"
_AFTER_ALL = "\\udbff\\udfff"
"""The last character that there is, as JSON has it: a date, a slash and this stand after every place of that date."""
_ESCAPED_PARTS = '.replace("%", "%25").replace("/", "%2F").replace(",", "%2C").replace("=", "%3D")'
_REFUSED = {"application/json": '{"error": "DynamoDB does not answer this; look at limit and after"}'}


def gateway_document(tables: Iterable[Served]) -> dict[str, Any]:
    """Return the document, as JSON has it.

    Raises:
        ContractError: A column is neither a text, number, boolean, date, time nor a map of texts.
    """
    tables = list(tables)
    found = document(tables, is_keyed=True)
    found["components"]["securitySchemes"]["key"]["name"] = "x-api-key"  # the gateway looks for it so spelt
    for table in tables:
        name = table.serving.key[0]
        keys, rows = f"/{table.path}", f"/{table.path}/{{{name}}}"
        found["paths"][keys]["get"] |= _integration(_keys_asked(table), _answer(table, table.serving.key, DATE))
        found["paths"][rows]["get"] |= _integration(_rows_asked(table), _answer(table, table.columns, PLACE))
    return found


def _integration(asked: str, answer: str) -> dict[str, Any]:
    refused = {"4\\d{2}": ("400", _REFUSED), "5\\d{2}": ("503", _REFUSED)}
    return {
        "x-amazon-apigateway-integration": {
            "type": "aws",
            "httpMethod": "POST",
            "uri": {"Fn::Sub": "arn:${AWS::Partition}:apigateway:${AWS::Region}:dynamodb:action/Query"},
            "credentials": {"Fn::Sub": "${ServingRoleArn}"},
            "passthroughBehavior": "never",
            "requestTemplates": {"application/json": {"Fn::Sub": asked}},
            "responses": {
                "default": {"statusCode": "200", "responseTemplates": {"application/json": answer}},
                **{code: {"statusCode": s, "responseTemplates": t} for code, (s, t) in refused.items()},
            },
        }
    }


def _text(value: str) -> str:
    """Return what writes a text into JSON. The gateway also escapes single quotes, which JSON does not know."""
    return f"""$util.escapeJavaScript({value}).replaceAll("\\\\'", "'")"""


def _parameter(name: str, default: str = "") -> str:
    """Return what sets a variable to a parameter of the request."""
    lines = f'#set($value = $input.params(\'{name}\'))#if($value == "")#set($value = "{default}")#end'
    return f"{lines}#set(${name} = {_text('$value')})\n"


def _keys_asked(table: Served) -> str:
    start = f'"ExclusiveStartKey": {{"{SERIES}": {{"S": "{table.path}"}}, "{DATE}": {{"S": "$after"}}}},'
    return (
        _parameter("limit", str(DEFAULT_LIMIT))
        + _parameter("after")
        + f"""{{"TableName": "${{ServingTable}}", "Limit": $limit, #if($after != ""){start}#end
"KeyConditionExpression": "#s = :s", "ExpressionAttributeNames": {{"#s": "{SERIES}"}},
"ExpressionAttributeValues": {{":s": {{"S": "{table.path}"}}}}}}"""
    )


def _rows_asked(table: Served) -> str:
    columns = table.model.table.columns
    maps = [name for name in table.serving.key[1:] if isinstance(columns[name].dtype, pl.Map)]
    texts = [name for name in table.serving.key[1:] if name not in maps]
    own = table.serving.key[0]
    path = "#if($columns.contains($key))#k$velocityCount#else#m.#k$velocityCount#end" if maps else "#k$velocityCount"
    loop = "#foreach($key in $input.params().querystring.keySet())#if(!$reserved.contains($key))"
    start = f"""#set($date = $after.substring(0, 10))#set($rest = $after.substring(11))"ExclusiveStartKey": {{
"{NAME}": {{"S": "{table.path}/$name"}}, "{PLACE}": {{"S": "$after"}},
"{SERIES}": {{"S": "{table.path}/$escaped/$rest"}}, "{DATE}": {{"S": "$date"}}}},"""
    return (
        _parameter("limit", str(DEFAULT_LIMIT))
        + _parameter("after")
        + _parameter("from", "0")
        + _parameter("to", _LAST)
        + f"""#set($reserved = {_listed(RESERVED)})#set($columns = {_listed(texts)})
#set($plain = $input.params('{own}'))#set($name = {_text("$plain")})
#set($parted = $plain{_ESCAPED_PARTS})#set($escaped = {_text("$parted")})
{{"TableName": "${{ServingTable}}", "IndexName": "{BY_NAME}", "Limit": $limit,
#if($after.length() > 10){start}#end
"KeyConditionExpression": "#n = :n AND #p BETWEEN :first AND :last",
"FilterExpression": "attribute_exists(#m){loop} AND {path} = :v$velocityCount#end#end",
"ExpressionAttributeNames": {{"#n": "{NAME}", "#p": "{PLACE}", "#m": "{(maps or [own])[0]}"
{loop}, "#k$velocityCount": "{_text("$key")}"#end#end}},
"ExpressionAttributeValues": {{":n": {{"S": "{table.path}/$name"}}, ":first": {{"S": "$from"}},
":last": {{"S": "$to/{_AFTER_ALL}"}}
{loop}, ":v$velocityCount": {{"S": "{_text("$input.params($key)")}"}}#end#end}}}}"""
    )


def _answer(table: Served, names: Sequence[str], place: str) -> str:
    columns = ", ".join(f'"{name}": {_column(table, name)}' for name in names)
    after = _text(f'$root.LastEvaluatedKey.get("{place}").S')
    return f"""#set($root = $input.path('$')){{"rows": [#foreach($item in $root.Items){{{columns}}}
#if($foreach.hasNext),#end#end], "next": #if(!$root.LastEvaluatedKey)null#else"{after}"#end}}"""


def _column(table: Served, name: str) -> str:
    match table.model.table.columns[name].dtype:
        case pl.Boolean():
            written = f"$item.{name}.BOOL"
        case pl.Map(value=pl.String()):
            value = f'#set($found = $item.{name}.M.get($key))#if($found.NULL)null#else"{_text("$found.S")}"#end'
            entry = f'"{_text("$key")}": {value}#if($foreach.hasNext), #end'
            written = f"{{#foreach($key in $item.{name}.M.keySet()){entry}#end}}"
        case pl.String() | pl.Date() | pl.Datetime():
            written = f'"{_text(f"$item.{name}.S")}"'
        case dtype if dtype.is_numeric():
            written = f"$item.{name}.N"
        case dtype:
            msg = (
                f"{table.model.table.full_name}: an API Gateway cannot answer with {name}, which is {dtype}. Nothing "
                "was written; serve the table by `lakehouse serve`, or leave the column out of it."
            )
            raise ContractError(msg)
    return f"#if($item.{name}.NULL)null#else{written}#end"


def _listed(names: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
