"""All inputs of the corpus: importing a section registers its inputs."""

from lakehouse_assets_tests.bad_input import (
    archives,
    columns,
    delimited,
    encodings,
    huge,
    json_objects,
    parquet_objects,
    quotes_and_line_ends,
    values,
)
from lakehouse_assets_tests.bad_input.corpus import CORPUS

SECTIONS = (
    delimited,
    quotes_and_line_ends,
    columns,
    encodings,
    archives,
    json_objects,
    parquet_objects,
    values,
    huge,
)

__all__ = ["CORPUS", "SECTIONS"]
