"""One network from inside: its graph, its layers, and which of them cost most."""
