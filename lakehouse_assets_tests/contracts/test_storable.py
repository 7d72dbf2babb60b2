"""A column of a type that cannot be stored is refused where it is declared; what is accepted has a Delta type."""

import dataframely as dy
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.contracts.declare import Contract, ContractError, Feed, Model
from lakehouse_assets.contracts.storable import is_storable
from lakehouse_assets.storage.delta_types import SchemaMismatchError, delta_type

PLAIN = [
    pl.String(), pl.Int64(), pl.Int8(), pl.UInt8(), pl.UInt64(), pl.Float32(), pl.Boolean(), pl.Date(), pl.Time(),
    pl.Duration(), pl.Binary(), pl.Null(), pl.Categorical(), pl.Decimal(10, 2), pl.Datetime("us", "UTC"),
    pl.Datetime("us"), pl.Datetime("us", "Europe/Berlin"),
]  # fmt: skip
types = st.recursive(
    st.sampled_from(PLAIN),
    lambda inner: st.one_of(
        inner.map(pl.List),
        st.tuples(inner, inner).map(lambda pair: pl.Map(*pair)),
        inner.map(lambda dtype: pl.Struct({"a": dtype})),
    ),
    max_leaves=3,
)


@given(types)
def test_what_is_accepted_is_what_has_a_delta_type(dtype: pl.DataType) -> None:
    try:
        delta_type(dtype)
    except SchemaMismatchError:
        assert not is_storable(dtype)
    else:
        assert is_storable(dtype)


def test_two_columns_of_a_model_that_only_case_tells_apart_are_refused() -> None:
    class Twins(dy.Schema):
        """One row."""

        p95 = dy.Int64()
        P95 = dy.Int64()

    with pytest.raises(ContractError, match=r"Twins\.P95: only case tells it from p95, and no table holds both"):
        Model("twins", Twins, "Twins.", "team:x")


class Local(Contract):
    """A time that names no zone."""

    at = dy.Datetime(nullable=True)


def test_a_feed_with_such_a_column_is_refused_with_its_name() -> None:
    with pytest.raises(ContractError, match=r'Local\.at: .* declare dy\.Datetime\(time_zone="UTC"\)'):
        Feed(name="local", contract=Local, description="Local times.", owner="team:sales")


def test_a_model_with_such_a_column_is_refused_with_its_name() -> None:
    class Took(dy.Schema):
        duration = dy.Duration(nullable=True)

    with pytest.raises(ContractError, match=r"Took\.duration: "):
        Model(name="took", schema=Took, description="How long.", owner="team:sales", function=lambda: None)
