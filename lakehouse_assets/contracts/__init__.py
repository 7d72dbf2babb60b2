"""What tables are: their declarations, rules, partitioning and lineage."""
