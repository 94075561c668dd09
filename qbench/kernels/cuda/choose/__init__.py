"""The ways to compute a product on a GPU, and which of them are worth trying."""
