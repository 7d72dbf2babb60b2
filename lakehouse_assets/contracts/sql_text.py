"""Names and texts as every SQL here writes them: DuckDB, Redshift, predicates of Delta. Not here: whole statements."""


def identifier(name: str) -> str:
    """Return a quoted name. Columns of bronze and quarantine have theirs from files: they may hold anything."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a quoted text."""
    return "'" + text.replace("'", "''") + "'"
