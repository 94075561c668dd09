"""Codes into words of bits."""
