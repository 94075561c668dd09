"""Plans: the steps of a network over named tensors, in float32 and in integers."""
