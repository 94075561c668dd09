"""What a gate objects to: of two runs, and of one against what its suite expects; and how machines are told."""
