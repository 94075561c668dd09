"""Suites of single operations: what they may say, their shapes, their filter, their rows."""
