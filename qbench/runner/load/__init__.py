"""What a mean time leaves out: latencies of queries, scenarios, energy, and the memory and start of a fresh process."""
