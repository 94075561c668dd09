"""How suites of networks are run: their jobs, and who makes the rows."""
