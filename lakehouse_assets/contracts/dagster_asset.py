"""An ordinary `@dg.asset` with a schema in its metadata, as a model.

The metadata has `"schema": dg.MetadataValue.python_artifact(TheSchema)` and, optionally, what a model declares:
`"date"`, `"partitioning"` (its value as text), `"plot"`, `"plot_over"`, `"revision"`, `"serving"` (its arguments by
name). The asset's function becomes the model's function; its inputs are the tables that it reads. Dagster is imported
only if a module of the lake has imported it. Not here: assets without a schema, which stay Dagster's own.
"""

import inspect
import sys
from typing import TYPE_CHECKING, Any

import dataframely as dy

from lakehouse_assets.contracts.model import Model
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.serving import Serving
from lakehouse_assets.contracts.source import ContractError

if TYPE_CHECKING:
    import dagster as dg

SCHEMA = "schema"
_LAYER = "gold"
_OF_MODEL = ("date", "plot", "plot_over", "revision")


def model_of(value: Any) -> Model | None:  # noqa: ANN401 - anything that a module holds
    """Return the model that an asset with a schema declares; None for anything else.

    Raises:
        ContractError: The asset says something that the lake decides for its tables, or leaves out what they need.
    """
    metadata = _metadata_of(value)
    if SCHEMA not in metadata:
        return None
    spec, function = value.get_asset_spec(), _function_of(value)
    _check(value, function)
    return Model(
        name=value.key.path[-1],
        schema=_schema_of(value.key.to_user_string(), metadata[SCHEMA]),
        description=spec.description or "",
        owner=spec.owners[0],
        function=function,
        inputs={name: ".".join(key.path) for name, key in value.keys_by_input_name.items()},
        code_version=spec.code_version,
        tags=dict(spec.tags),
        serving=_serving_of(metadata["serving"]) if "serving" in metadata else None,
        partitioning=Partitioning(metadata["partitioning"]) if "partitioning" in metadata else None,
        **{name: metadata[name] for name in _OF_MODEL if name in metadata},
    )


def is_table(value: object) -> bool:
    """Return whether something is an asset with a schema, whether or not it can be used as a model."""
    return SCHEMA in _metadata_of(value)


def _metadata_of(value: Any) -> dict[str, Any]:  # noqa: ANN401 - anything that a module holds
    dagster = sys.modules.get("dagster")
    if dagster is None or not isinstance(value, dagster.AssetsDefinition) or len(value.keys) != 1:
        return {}
    return dict(value.metadata_by_key.get(value.key) or {})


def _schema_of(name: str, artifact: object) -> type[dy.Schema]:
    module, attribute = (getattr(artifact, part, "") for part in ("module", "name"))
    found = getattr(sys.modules.get(module), attribute, None)
    if not (isinstance(found, type) and issubclass(found, dy.Schema)):
        fix = f'metadata={{"{SCHEMA}": dg.MetadataValue.python_artifact(TheSchema)}}, a dataframely schema of a module'
        raise _refused(name, "its schema is no dataframely schema", fix)
    return found


def _serving_of(given: Any) -> Serving:  # noqa: ANN401 - as Dagster keeps it
    said = getattr(given, "data", given)
    try:
        return Serving(said["path"], tuple(said["key"]))
    except (TypeError, KeyError):
        fix = 'metadata={"serving": {"path": "metrics", "key": ["metric_name"]}}'
        msg = f"serving={said!r} is not the path and the key of a served table; write {fix}."
        raise ContractError(msg) from None


def _function_of(asset: "dg.AssetsDefinition") -> Any:  # noqa: ANN401 - any function
    return getattr(asset.op.compute_fn, "decorated_fn", None)


def _check(asset: "dg.AssetsDefinition", function: Any) -> None:  # noqa: ANN401
    name, spec = asset.key.to_user_string(), asset.get_asset_spec()
    if len(asset.key.path) != 2 or asset.key.path[0] != _LAYER:  # noqa: PLR2004 - layer and name
        raise _refused(name, "a table with a schema is in the layer gold", f'key=["{_LAYER}", "..."]')
    if not spec.owners:
        raise _refused(name, "nobody owns it", 'owners=["team:..."]')
    if spec.group_name not in {None, "default", _LAYER}:
        raise _refused(name, f"its group is {_LAYER}, by which runs select it", "no group_name")
    decided = {
        "partitions_def": asset.partitions_def,
        "automation_condition": spec.automation_condition,
        "check_specs": list(asset.check_specs),
    }
    if odd := next((what for what, given in decided.items() if given), None):
        raise _refused(name, "dates, automation and checks follow from its schema", f"metadata date=..., and no {odd}")
    if function is None or "context" in inspect.signature(function).parameters:
        raise _refused(
            name, "it must be a function of its tables alone, to be computed again at any time", "no context"
        )


def _refused(name: str, why: str, fix: str) -> ContractError:
    return ContractError(f"asset {name!r}: {why}. Nothing was loaded; declare it with {fix}.")
