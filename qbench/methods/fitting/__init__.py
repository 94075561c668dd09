"""What several methods share: slices of weights, grids, and the searches for the best step or range."""
