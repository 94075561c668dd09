"""A suite of the user's, followed by asv from commit to commit: its numbers, and the files that asv wants."""
