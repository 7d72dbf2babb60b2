"""From landing to gold: ingest, bronze, candidate, gate, silver with quarantine and accounting, models, pending."""
