"""The page of a run of single operations."""
