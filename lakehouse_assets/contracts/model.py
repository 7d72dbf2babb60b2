"""A model: a gold table, declared by its schema and made by a SQL file or a Python function."""

import datetime as dt
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import dataframely as dy

from lakehouse_assets.contracts.arguments import check_arguments
from lakehouse_assets.contracts.partitioning import Partitioning
from lakehouse_assets.contracts.python_function import SPARK, Function, check_inputs, kinds, meaning_of
from lakehouse_assets.contracts.serving import Serving, check_serving
from lakehouse_assets.contracts.source import ContractError, columns_of, rule_texts, version
from lakehouse_assets.contracts.storable import check_storable
from lakehouse_assets.contracts.table import Column, Table
from lakehouse_assets.contracts.usual_rows import UsualRows
from lakehouse_assets.contracts.views import expanded, parsed, tables_in


@dataclass(frozen=True)
class Model:
    """A gold table: the schema that its SQL or function must return, and how it is cut into dates.

    For a table by date the tables read hold the dates being built and no others; for a snapshot, all of them.

    Attributes:
        sql: The file with one DuckDB query over other tables by their SQL names. By default, and without a function,
            the file `<name>.sql` beside the module of the schema.
        function: In place of SQL: a function of tables that returns one. The same tables must always give the same
            rows; what `kinds` says of its annotations decides in which type it gets each table, and whether by Spark.
        inputs: For a function: the SQL name of the table for each parameter.
        code_version: For a function: raised when what it calls gives other rows. Its own source is looked at anyhow.
        date: The column whose date partitions the table, which then reads one by date; None for a snapshot.
        plot: Column to draw in the UI, summed by date, if any.
        plot_over: The date to draw it over, if not the one that partitions the table.
        serving: How programs ask for single rows of a table by date; None for not at all.
        usual_rows: As for a feed; for a table by date.
        fresh_within: How long after the end of a date it has to be there; for a table by date.
        inventory: As for a feed.
        revision: As for a feed.
        engine: `spark` to run the SQL on Spark where the lake has one, `duckdb` never to; by default the settings
            decide by what there is to read. The rows are the same.
        views: SQL of the views that the query may read, by name; the registry fills it in.
    """

    name: str
    schema: type[dy.Schema]
    description: str
    owner: str
    sql: Path | None = None
    function: Function | None = None
    inputs: Mapping[str, str] = field(default_factory=dict, hash=False)
    code_version: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    date: str | None = None
    partitioning: Partitioning | None = None
    plot: str | None = None
    plot_over: str | None = None
    serving: Serving | None = None
    usual_rows: UsualRows | None = None
    revision: int = 1
    fresh_within: dt.timedelta | None = None
    inventory: bool = False
    engine: str | None = None
    views: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_arguments(f"model {self.name!r}", self)
        check_storable(self.schema.__name__, {name: column.dtype for name, column in self.schema.columns().items()})
        if self.sql is not None and self.function is not None:
            msg = f"model {self.name!r} has both sql= and function=; leave one of them out."
            raise ContractError(msg)
        if self.sql is None and self.function is None:
            object.__setattr__(self, "sql", self._sql_beside_schema())
        if self.function is not None:
            check_inputs(self.name, self.function, self.inputs)
        if self.function is not None and self.engine is not None:
            msg = (
                f"model {self.name!r}: engine= chooses who runs the SQL, and it has a function; leave engine out. A "
                f"function that takes its tables as {SPARK} runs on Spark."
            )
            raise ContractError(msg)
        named = [name for name in (self.date, self.plot, self.plot_over) if name is not None]
        if odd := next((name for name in named if name not in self.schema.columns()), None):
            msg = f"model {self.name!r}: its date or plotted column {odd!r} is not in {self.schema.__name__}."
            raise ContractError(msg)
        if self.plot is not None and self.plotted is None:
            msg = f"model {self.name!r}: there is no date to draw {self.plot!r} over; name one with plot_over."
            raise ContractError(msg)
        if self.usual_rows is not None and self.date is None:
            msg = f"model {self.name!r}: usual_rows compares weekdays, and the table has no dates; leave it out."
            raise ContractError(msg)
        if self.fresh_within is not None and self.date is None:
            msg = f"model {self.name!r}: fresh_within is for each date, and the table has no dates; leave it out."
            raise ContractError(msg)
        if self.serving is not None:
            check_serving(self.name, self.serving, self.schema, self.date)

    def _sql_beside_schema(self) -> Path:
        try:
            file = Path(inspect.getfile(self.schema)).with_name(f"{self.name}.sql")
        except (OSError, TypeError):  # the schema's module is no file
            file = Path(f"{self.name}.sql")
        if not file.is_file():
            msg = f"model {self.name!r}: there is no {file}; write its query there, or name sql= or function=."
            raise ContractError(msg)
        return file

    @cached_property
    def takes_spark(self) -> bool:
        """Whether it is a function of Spark's tables, which nothing but Spark can compute."""
        return self.function is not None and SPARK in kinds(self.function).values()

    @property
    def plotted(self) -> tuple[str, str] | None:
        """The date column and the column that the UI draws over it; None for no plot."""
        over = self.plot_over or self.date
        return (over, self.plot) if over is not None and self.plot is not None else None

    @property
    def layout(self) -> Partitioning:
        """The partitioning of the table."""
        if self.date is None:
            return Partitioning.SNAPSHOT
        return self.partitioning or Partitioning.BY_DATE

    @property
    def code(self) -> str:
        """Where what makes the table stands, for messages: the SQL file, or the function."""
        return self.sql.name if self.sql is not None else f"{getattr(self.function, '__name__', self.function)}()"

    @cached_property
    def query(self) -> str:
        """The text of the SQL file, with views put in their place; empty for a function."""
        return expanded(self._written, self.views) if self.sql is not None else ""

    def reads_view(self, name: str) -> bool:
        """Return whether the SQL file names a view."""
        return self.sql is not None and name in tables_in(self._written)

    @property
    def _written(self) -> str:
        """The text of the SQL file as it was written; empty for a function."""
        try:
            return self.sql.read_text(encoding="utf-8") if self.sql is not None else ""
        except UnicodeDecodeError as error:
            msg = f"model {self.name!r}: {self.sql} is not UTF-8 at byte {error.start}; save it as UTF-8."
            raise ContractError(msg) from None

    @cached_property
    def upstream(self) -> tuple[str, ...]:
        """SQL names of the tables that are read, sorted."""
        if self.function is not None:
            return tuple(sorted(set(self.inputs.values())))
        return tuple(sorted(tables_in(self.query)))

    @cached_property
    def version(self) -> str:
        """Identity of the model's meaning: its SQL or function without layout and comments, its schema and rules."""
        if self.function is not None:
            statement = str([meaning_of(self.function), sorted(self.inputs.items()), self.code_version])
        else:
            statement = parsed(self.query).sql(dialect="duckdb", comments=False)
        columns = {name: str(column.dtype) for name, column in self.schema.columns().items()}
        return version([statement, columns, rule_texts(self.schema), self.layout.value, self.date])

    @cached_property
    def table(self) -> Table:
        """The gold table."""
        columns = columns_of(self.schema)
        for name, dtype in self.layout.columns.items():
            columns.setdefault(name, Column(dtype, f"Partition, derived from `{self.date}`.", nullable=False))
        return Table("gold", self.name, columns, self.layout, self.description, self.owner, self.revision)
