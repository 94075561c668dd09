"""The recipes that trained the packaged networks (extra `train`: PyTorch). Nothing here is imported by a run."""
