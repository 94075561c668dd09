"""Builders of the networks that are not carried in the package: made on first use, cached, known by their hash."""
