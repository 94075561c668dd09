"""One network that was kept: what stands beside its row, what it looks like inside, and why it is not faster."""
