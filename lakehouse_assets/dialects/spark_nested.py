"""Lists, maps and structs: their parts, and how they are made. Not here: lists of many rows."""

from sqlglot import exp

from lakehouse_assets.dialects.spark_expressions import Expressions, Rules, refused, string
from lakehouse_assets.dialects.spark_literals import number, written
from lakehouse_assets.dialects.spark_types import quoted


def _element(expressions: Expressions, node: exp.Bracket) -> str:
    found, [index] = expressions.type(node.this), node.expressions
    value = expressions.text(node.this)
    if found.id == "map":
        return f"TRY_ELEMENT_AT({value}, {expressions.as_type(index, found.parts['key'])})"
    if found.id == "struct":
        return _field_named(expressions, node, written(index, node))
    if found.id != "list":
        raise refused(node, f"parts of a {found.name} are not translated")
    return f"GET({value}, {number(index, node)})"  # which the parser has made one less


def _field(expressions: Expressions, node: exp.Dot) -> str:
    if not isinstance(node.expression, exp.Identifier):
        raise refused(node, "only a field of a struct is translated")
    return _field_named(expressions, node, node.name)


def _extracted(expressions: Expressions, node: exp.StructExtract) -> str:
    return _field_named(expressions, node, written(node.expression, node))


def _field_named(expressions: Expressions, node: exp.Expr, name: str) -> str:
    found = expressions.type(node.this)
    if found.id != "struct":
        raise refused(node, f"a {found.name} has no fields")
    own = next((one for one in found.parts if one.lower() == name.lower()), name)
    if expressions.type(node) != found.parts[own]:
        raise refused(node, "DuckDB does not say its type here; select the struct in a query of its own")
    return f"{expressions.text(node.this)}.{quoted(own)}"


def _list(expressions: Expressions, node: exp.Array) -> str:
    if not node.expressions:
        return "ARRAY()"
    wanted = expressions.type(node).parts["child"]
    return f"ARRAY({', '.join(expressions.as_type(part, wanted) for part in node.expressions)})"


def _map(expressions: Expressions, node: exp.Expr) -> str:
    struct, found = node.this, expressions.type(node)
    if not isinstance(struct, exp.Struct):
        raise refused(node, "only MAP {'key': value} is translated")
    pairs = []
    for pair in struct.expressions:
        pairs += [expressions.as_type(pair.this, found.parts["key"])]
        pairs += [expressions.as_type(pair.expression, found.parts["value"])]
    return f"MAP({', '.join(pairs)})"


def _struct(expressions: Expressions, node: exp.Struct) -> str:
    fields = [f"{string(pair.this.name)}, {expressions.text(pair.expression)}" for pair in node.expressions]
    return f"NAMED_STRUCT({', '.join(fields)})"


def _series(expressions: Expressions, node: exp.GenerateSeries) -> str:
    found = expressions.type(node)
    if found.name != "BIGINT[]" or node.args.get("step") is not None:
        raise refused(node, "only whole numbers, one after the other, are translated")
    first, last = (f"CAST({expressions.text(node.args[name])} AS BIGINT)" for name in ("start", "end"))
    last = f"({last} - 1)" if node.args.get("is_end_exclusive") else last
    return f"CASE WHEN {first} <= {last} THEN SEQUENCE({first}, {last}) WHEN {first} > {last} THEN {_EMPTY} END"


_EMPTY = "CAST(ARRAY() AS ARRAY<BIGINT>)"


def _anonymous(_: Expressions, node: exp.Anonymous) -> str:
    if node.name.lower() == "map" and not node.expressions:
        return "MAP()"
    raise refused(node, f"the function {node.name} is not translated")


RULES: Rules = {
    exp.Bracket: _element,
    exp.Dot: _field,
    exp.StructExtract: _extracted,
    exp.Array: _list,
    exp.ToMap: _map,
    exp.Struct: _struct,
    exp.GenerateSeries: _series,
    exp.Anonymous: _anonymous,
}
