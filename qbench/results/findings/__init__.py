"""What rows of a run say together."""
