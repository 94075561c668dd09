"""Convolutions of every width, bound to layouts once and run many times."""
