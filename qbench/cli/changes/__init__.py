"""The commands about changes: two runs compared, a run judged, a history, baselines in git."""
