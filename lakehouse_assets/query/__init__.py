"""Reading the lake: tables for SQL, answers, sizes and status, the dictionary."""
