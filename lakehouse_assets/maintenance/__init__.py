"""Looking after the tables: compaction, retention, orphans."""
