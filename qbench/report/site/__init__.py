"""A static site of many runs: which of them can be believed, what they show beside each other, and all their pages."""
