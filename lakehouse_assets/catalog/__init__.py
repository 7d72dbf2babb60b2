"""The tables as other tools find them: one file for each catalog, and `catalogs` for what they have in common."""
