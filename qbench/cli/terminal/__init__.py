"""How things look on the terminal: style, live progress, the summary of a run."""
