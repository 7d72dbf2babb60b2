"""Looking after the tables: nothing that anybody needs is lost by it."""
