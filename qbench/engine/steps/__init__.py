"""The steps that plans are made of, one kind of node each."""
