"""Stages of place `before` that move numbers between activations and weights: the function in float32 stays the same.

`links.py` finds between which nodes a factor per channel can move. Each stage is a file; the table is `STAGES`.
"""
