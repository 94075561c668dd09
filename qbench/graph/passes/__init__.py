"""Rewrites of a network that do not change what it computes: small functions, drafts in, drafts out."""
