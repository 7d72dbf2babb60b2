"""Which products are bought together more often than by chance.

A pair is no more frequent than its rarer product, so products below the minimum support are left out before any pair is
formed: what a basket of n products costs is n squared, and a minimum of 1 % leaves at most 100 times as many products
as the average basket has, however many baskets there are.

The pairs of a basket come from its own row, whose products are unnested twice. To join the lines of all baskets with
themselves by invoice would hold them all; like this the query holds products and pairs, which do not grow.
"""

import dataframely as dy
import polars as pl

from lakehouse_assets.contracts.declare import Model


class BasketPairs(dy.Schema):
    """One row per pair of products that are together in at least 1 % of the baskets, and in three."""

    stock_code = dy.String(primary_key=True, description="The product with the smaller code.")
    other_stock_code = dy.String(primary_key=True, description="The product with the larger code.")
    baskets = dy.Int64(nullable=False, min=3, description="Baskets with both; an invoice of a date is a basket.")
    support = dy.Float64(nullable=False, min=0.01, max=1, description="Share of all baskets that have both.")
    confidence = dy.Float64(
        nullable=False, min=0, max=1, description="Share of the baskets with stock_code that have other_stock_code."
    )
    other_confidence = dy.Float64(
        nullable=False, min=0, max=1, description="Share of the baskets with other_stock_code that have stock_code."
    )
    lift = dy.Float64(
        nullable=False, min=0, description="support / (share with the one x share with the other); 1 is chance."
    )

    @dy.rule()
    def no_pair_with_itself(cls) -> pl.Expr:
        """The codes differ, and each pair is there once."""
        return pl.col("stock_code") < pl.col("other_stock_code")


MODEL = Model(
    name="basket_pairs",
    schema=BasketPairs,
    description="Pairs of products that are bought together, with support, confidence and lift.",
    owner="team:retail-analytics",
)
